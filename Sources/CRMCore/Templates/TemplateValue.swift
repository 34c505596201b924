import BSON
import CivilTime

/// A lead's value on its way into a message.
public enum TemplateValue: Sendable, Equatable {
  /// Absent, null, an empty text or an empty list: there is nothing to print.
  case missing
  case text(String)
  case integer(Int64)
  case decimal(Double)
  case boolean(Bool)
  case date(Timestamp)
  /// Printed with commas between.
  case list([TemplateValue])
  /// Fields of its own: cannot be printed.
  case object

  public init(text: String?) { self = text.flatMap { $0.isEmpty ? nil : .text($0) } ?? .missing }

  public init(texts: [String]) { self = texts.isEmpty ? .missing : .list(texts.map(TemplateValue.text)) }

  public init(date: Timestamp?) { self = date.map(TemplateValue.date) ?? .missing }

  public init(bson value: BSONValue?) {
    switch value {
    case .string(let text): self.init(text: text)
    case .int32(let number): self = .integer(Int64(number))
    case .int64(let number): self = .integer(number)
    case .double(let number): self = .decimal(number)
    case .bool(let flag): self = .boolean(flag)
    case .date(let milliseconds): self = .date(Timestamp(milliseconds: milliseconds))
    case .array(let values): self = values.isEmpty ? .missing : .list(values.map { TemplateValue(bson: $0) })
    case .document(let document): self = document.isEmpty ? .missing : .object
    default: self = .missing
    }
  }

  /// Whether an `if` takes its first branch: everything but nothing and `false`.
  var isTruthy: Bool {
    switch self {
    case .missing, .boolean(false): false
    default: true
    }
  }
}

/// Whatever a template can be filled from.
public protocol TemplateSource {
  func templateValue(_ field: TemplateField) -> TemplateValue
}

extension Lead: TemplateSource {
  public func templateValue(_ field: TemplateField) -> TemplateValue {
    switch field {
    case .name: TemplateValue(text: name)
    case .email: TemplateValue(text: emails.first)
    case .emails: TemplateValue(texts: emails)
    case .phone: TemplateValue(text: phones.first)
    case .phones: TemplateValue(texts: phones)
    case .tags: TemplateValue(texts: tags)
    case .totalSpend: .decimal(totalSpend)
    case .visits: .integer(visits)
    case .lastOrderAt: TemplateValue(date: lastOrderAt)
    case .createdAt: .date(createdAt)
    case .updatedAt: .date(updatedAt)
    case .metadata(let keys): TemplateValue(bson: metadata.value(at: keys))
    }
  }
}
