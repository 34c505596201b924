import CivilTime

/// One step between a value and its text.
enum TemplateFilter: Sendable, Hashable {
  case fallback(String)
  case firstName
  case upcase
  case downcase
  case capitalize
  /// Nil: as many decimals as the number has.
  case number(decimals: Int?)
  case date(DatePattern)

  static let names = ["default", "first_name", "upcase", "downcase", "capitalize", "number", "date"]
  static let mostDecimals = 6

  /// What it needs, and what it gives.
  var kinds: (input: TemplateKind, output: TemplateKind?) {
    switch self {
    case .fallback: (.any, nil)
    case .firstName, .upcase, .downcase, .capitalize: (.any, .text)
    case .number: (.number, .text)
    case .date: (.date, .text)
    }
  }
}

/// A value that a filter cannot work on.
struct FilterFailure: Error {
  /// Follows the field's name: `is not a number`.
  let reason: String
}

extension TemplateFilter {
  /// What is missing stays missing until a default takes its place.
  func apply(to value: TemplateValue, offset: UTCOffset) throws(FilterFailure) -> TemplateValue {
    if case .fallback(let text) = self {
      if case .missing = value { return .text(text) }
      return value
    }
    if case .missing = value { return value }
    switch self {
    case .fallback: return value
    case .firstName:
      let text = try value.printed(offset: offset)
      return TemplateValue(text: text.split(whereSeparator: \.isWhitespace).first.map(String.init))
    case .upcase: return .text(try value.printed(offset: offset).uppercased())
    case .downcase: return .text(try value.printed(offset: offset).lowercased())
    case .capitalize:
      let text = try value.printed(offset: offset)
      return .text(text.prefix(1).uppercased() + text.dropFirst().lowercased())
    case .number(let decimals): return .text(try Self.number(value, decimals))
    case .date(let pattern): return .text(try Self.date(value, pattern, offset))
    }
  }

  private static func number(_ value: TemplateValue, _ decimals: Int?) throws(FilterFailure) -> String {
    switch value {
    case .integer(let number): return NumberText.grouped(number, decimals: decimals ?? 0)
    case .decimal(let number): return NumberText.grouped(number, decimals: decimals)
    case .text(let text):
      if let number = Int64(text) { return NumberText.grouped(number, decimals: decimals ?? 0) }
      if let number = Double(text), number.isFinite { return NumberText.grouped(number, decimals: decimals) }
      throw FilterFailure(reason: "is not a number")
    default: throw FilterFailure(reason: "is not a number")
    }
  }

  /// A date, or the text of an RFC 3339 time or of a day: metadata has no dates of its own.
  private static func date(
    _ value: TemplateValue, _ pattern: DatePattern, _ offset: UTCOffset
  ) throws(FilterFailure) -> String {
    switch value {
    case .date(let time): return pattern.text(of: time, offset: offset)
    case .text(let text):
      if let time = Timestamp(rfc3339: text) { return pattern.text(of: time, offset: offset) }
      if text.utf8.count == 10, let midnight = Timestamp(rfc3339: text + "T00:00:00Z") {
        // A day without a time is the same day everywhere.
        return pattern.text(of: midnight, offset: { _ in 0 })
      }
      throw FilterFailure(reason: "is not a date")
    default: throw FilterFailure(reason: "is not a date")
    }
  }
}

extension TemplateValue {
  /// The text of a value without filters.
  func printed(offset: UTCOffset) throws(FilterFailure) -> String {
    switch self {
    case .missing: return ""
    case .text(let text): return text
    case .integer(let number): return String(number)
    case .decimal(let number): return NumberText.plain(number)
    case .boolean(let flag): return flag ? "true" : "false"
    case .date(let time): return DatePattern.standard.text(of: time, offset: offset)
    case .object: throw FilterFailure(reason: "is an object and cannot be printed")
    case .list(let values):
      var text = ""
      for (index, value) in values.enumerated() {
        if index > 0 { text += ", " }
        text += try value.printed(offset: offset)
      }
      return text
    }
  }
}
