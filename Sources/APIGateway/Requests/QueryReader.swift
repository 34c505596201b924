import BSON
import CRMCore
import CivilTime
import Crypto
import HTTP

/// Reads the parameters of a query string and collects every error, as `ObjectReader` does for a body.
///
/// Parameters that no getter asked for, and those given twice, are errors: a misspelt filter must not pass for none.
struct QueryReader {
  private let items: QueryItems
  private var known: Set<String> = []
  private(set) var errors: [FieldError] = []

  init(_ items: QueryItems) { self.items = items }

  mutating func reject(_ name: String, _ code: String, _ message: String) {
    errors.append(FieldError(field: name, code: code, message: message))
  }

  /// The value as it is; an empty one counts as given.
  mutating func value(_ name: String) -> String? {
    known.insert(name)
    let values = items.values(name)
    if values.count > 1 { reject(name, "duplicate", "must be given once") }
    return values.first
  }

  /// All values of a parameter that may be given several times.
  mutating func values(_ name: String, atMost limit: Int) -> [String] {
    known.insert(name)
    let values = items.values(name)
    if values.count <= limit { return values }
    reject(name, "too_many", "must be given at most \(limit) times")
    return []
  }

  mutating func text(_ name: String, length: ClosedRange<Int>) -> String? {
    guard let text = value(name) else { return nil }
    if length.contains(text.unicodeScalars.count), !text.utf8.contains(0) { return text }
    reject(name, "invalid_length", "must have \(length.lowerBound) to \(length.upperBound) characters")
    return nil
  }

  mutating func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), text.first != "+" else {
      reject(name, "invalid_type", "must be an integer")
      return nil
    }
    if range.contains(number) { return number }
    reject(name, "out_of_range", "must be between \(range.lowerBound) and \(range.upperBound)")
    return nil
  }

  mutating func number(_ name: String) -> Double? {
    guard let text = value(name) else { return nil }
    // Double's own parser also takes "nan", "inf" and hexadecimal, which no client means.
    let isPlain = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains(byte)
    }
    if isPlain, let number = Double(text), number.isFinite { return number }
    reject(name, "invalid_type", "must be a number")
    return nil
  }

  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, of: Choice.Type = Choice.self
  ) -> Choice? {
    guard let text = value(name) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    reject(name, "invalid_choice", "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
    return nil
  }

  mutating func objectID(_ name: String) -> ObjectID? {
    guard let text = value(name) else { return nil }
    if let id = ObjectID(hex: text) { return id }
    reject(name, "invalid_id", "must be an id of 24 hexadecimal digits")
    return nil
  }

  mutating func uuid(_ name: String) -> UUIDBytes? {
    guard let text = value(name) else { return nil }
    if let id = UUIDBytes(text) { return id }
    reject(name, "invalid_id", "must be a UUID")
    return nil
  }

  /// An e-mail address in lower case.
  mutating func email(_ name: String) -> String? {
    guard let text = value(name) else { return nil }
    switch EmailAddress.normalise(text) {
    case .success(let email): return email
    case .failure(let problem):
      reject(name, problem.code, problem.message)
      return nil
    }
  }

  mutating func timestamp(_ name: String) -> Timestamp? {
    guard let text = value(name) else { return nil }
    if let time = Timestamp(rfc3339: text) { return time }
    reject(name, "invalid_time", "must be an RFC 3339 time")
    return nil
  }

  /// - Throws: `ValidationError` with all errors, those for parameters that nobody asked for included.
  mutating func finish() throws(ValidationError) {
    for name in items.names where !known.contains(name) {
      let names = known.sorted().joined(separator: ", ")
      let hint = known.isEmpty ? "this request takes none" : "known are \(names)"
      reject(String(name.prefix(100)), "unknown_parameter", "is not a known parameter; \(hint)")
    }
    if let error = ValidationError(errors) { throw error }
  }
}
