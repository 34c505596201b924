import BSON
import CivilTime
import Crypto
import JSON

/// Reads the members of a JSON object and collects every error with its path, instead of stopping at the first.
///
/// Each getter returns nil when the member is absent or bad; whether something was bad is known at the end, from
/// `finish()` or `result(_:)`, which also report members that no getter asked for.
public struct ObjectReader: Sendable {
  /// The path of this object within the body: `leads[3]`; empty for the body itself.
  public let path: String
  public private(set) var errors: [FieldError] = []
  private let object: JSONObject?
  /// Members that a getter asked for.
  private var known = MemberSet()
  /// Where the next member is looked for first: most senders write them in the order in which they are described.
  private var next = 0

  public init(_ json: JSONValue, path: String = "") {
    self.path = path
    object = json.objectValue
    if object == nil {
      errors.append(
        FieldError(field: path.isEmpty ? "body" : path, Self.wrongType(json, expected: "an object")))
    }
  }

  /// Adds an error for a member, for checks that go beyond one field.
  public mutating func reject(_ key: String, _ problem: FieldProblem) {
    errors.append(FieldError(field: path(of: key), problem))
  }

  public mutating func reject(contentsOf more: [FieldError]) { errors.append(contentsOf: more) }

  /// The member's path within the body.
  public func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// Whether the member is there, whatever its value.
  public func has(_ key: String) -> Bool { object?[key] != nil }

  /// The member as it is.
  public mutating func value(_ key: String, required: Bool = false) -> JSONValue? {
    guard let object else { return nil }
    guard let index = object.index(of: key, from: next) else {
      if required { reject(key, FieldProblem("required", "is required")) }
      return nil
    }
    known.insert(index)
    next = index + 1
    return object.entries[index].value
  }

  /// Unknown members that are reported one by one. A body may have a million of them.
  private static let mostUnknown = 100

  /// All errors, those for members that nobody asked for included.
  public mutating func finish() -> [FieldError] {
    guard let object, known.count < object.count else { return errors }
    let unknown = object.entries.indices.lazy.filter { [known] in !known.contains($0) }
    for index in unknown.prefix(Self.mostUnknown) {
      let key = object.entries[index].key
      let shown =
        key.unicodeScalars.count <= 100 ? key : String(String.UnicodeScalarView(key.unicodeScalars.prefix(100)))
      reject(shown, FieldProblem("unknown_field", "is not a known field"))
    }
    let others = object.count - known.count - Self.mostUnknown
    if others > 0 {
      errors.append(
        FieldError(
          field: path.isEmpty ? "body" : path, code: "unknown_field", message: "has \(others) more unknown fields"))
    }
    return errors
  }

  /// What `make` builds, unless there were errors. `make` is called only when there were none.
  public mutating func result<Input>(_ make: () -> Input?) -> Result<Input, ValidationError> {
    if let error = ValidationError(finish()) { return .failure(error) }
    if let input = make() { return .success(input) }
    // Unreachable while every getter that returns nil for a required member also reports it.
    return .failure(ValidationError(field: path.isEmpty ? "body" : path, code: "invalid", message: "is incomplete"))
  }

  static func wrongType(_ json: JSONValue, expected: String) -> FieldProblem {
    let article =
      switch json {
      case .int, .array, .object: "an "
      case .null: ""
      default: "a "
      }
    return FieldProblem("invalid_type", "must be \(expected), not \(article)\(json.typeName)")
  }
}

extension ObjectReader {
  /// Text, trimmed of white space at both ends, of a number of code points.
  public mutating func string(
    _ key: String, required: Bool = false, length: ClosedRange<Int>, trimming: Bool = true
  ) -> String? {
    guard let json = value(key, required: required) else { return nil }
    guard case .string(let raw) = json else {
      reject(key, Self.wrongType(json, expected: "a string"))
      return nil
    }
    let text = trimming ? raw.trimmed : raw
    guard let problem = Text.lengthProblem(text, length) else { return text }
    reject(key, problem)
    return nil
  }

  /// A finite number within a range.
  public mutating func number(_ key: String, required: Bool = false, in range: ClosedRange<Double>) -> Double? {
    guard let json = value(key, required: required) else { return nil }
    guard let number = json.doubleValue else {
      reject(key, Self.wrongType(json, expected: "a number"))
      return nil
    }
    guard range.contains(number) else {
      reject(
        key, FieldProblem("out_of_range", "must be between \(plain(range.lowerBound)) and \(plain(range.upperBound))"))
      return nil
    }
    return number
  }

  /// An integer within a range; 5.0 is one, as JSON Schema has it.
  public mutating func integer(_ key: String, required: Bool = false, in range: ClosedRange<Int64>) -> Int64? {
    guard let json = value(key, required: required) else { return nil }
    guard let number = json.intValue ?? json.doubleValue.flatMap({ Int64(exactly: $0) }) else {
      reject(key, Self.wrongType(json, expected: "an integer"))
      return nil
    }
    guard range.contains(number) else {
      reject(key, FieldProblem("out_of_range", "must be between \(range.lowerBound) and \(range.upperBound)"))
      return nil
    }
    return number
  }

  public mutating func bool(_ key: String, required: Bool = false) -> Bool? {
    guard let json = value(key, required: required) else { return nil }
    if let flag = json.boolValue { return flag }
    reject(key, Self.wrongType(json, expected: "true or false"))
    return nil
  }

  /// An instant in RFC 3339.
  public mutating func timestamp(_ key: String, required: Bool = false) -> Timestamp? {
    parsed(key, required: required) { text in
      if let time = Timestamp(rfc3339: text) { return .success(time) }
      return .failure(FieldProblem("invalid_timestamp", "must be an RFC 3339 time such as 2026-03-31T10:30:00.000Z"))
    }
  }

  /// An ObjectId as 24 hexadecimal digits.
  public mutating func objectID(_ key: String, required: Bool = false) -> ObjectID? {
    parsed(key, required: required) { text in
      if let id = ObjectID(hex: text) { return .success(id) }
      return .failure(FieldProblem("invalid_id", "must be an id of 24 hexadecimal digits"))
    }
  }

  public mutating func uuid(_ key: String, required: Bool = false) -> UUIDBytes? {
    parsed(key, required: required) { text in
      if let id = UUIDBytes(text) { return .success(id) }
      return .failure(FieldProblem("invalid_id", "must be a UUID"))
    }
  }

  /// One of an enumeration's raw values.
  public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, of: Choice.Type = Choice.self, required: Bool = false
  ) -> Choice? {
    parsed(key, required: required) { text in
      if let choice = Choice(rawValue: text) { return .success(choice) }
      let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      return .failure(FieldProblem("invalid_choice", "must be one of \(choices)"))
    }
  }

  /// A string that `parse` makes a value of.
  public mutating func parsed<Value>(
    _ key: String, required: Bool = false, _ parse: (String) -> Result<Value, FieldProblem>
  ) -> Value? {
    guard let json = value(key, required: required) else { return nil }
    guard case .string(let text) = json else {
      reject(key, Self.wrongType(json, expected: "a string"))
      return nil
    }
    switch parse(text) {
    case .success(let value): return value
    case .failure(let problem):
      reject(key, problem)
      return nil
    }
  }

  /// The elements of an array whose count is within a range.
  public mutating func array(_ key: String, required: Bool = false, count: ClosedRange<Int>) -> [JSONValue]? {
    guard let json = value(key, required: required) else { return nil }
    guard case .array(let elements) = json else {
      reject(key, Self.wrongType(json, expected: "an array"))
      return nil
    }
    guard elements.count >= count.lowerBound else {
      let least = count.lowerBound == 1 ? "must not be empty" : "must have at least \(count.lowerBound) elements"
      reject(key, FieldProblem("too_few", least))
      return nil
    }
    guard elements.count <= count.upperBound else {
      reject(key, FieldProblem("too_many", "must have at most \(count.upperBound) elements"))
      return nil
    }
    return elements
  }

  /// An array of strings, each normalised by `normalise`, without repetitions and in order; nil when one of them is bad.
  public mutating func strings(
    _ key: String, required: Bool = false, count: ClosedRange<Int>,
    _ normalise: (String) -> Result<String, FieldProblem>
  ) -> [String]? {
    guard let elements = array(key, required: required, count: count) else { return nil }
    var texts: [String] = []
    texts.reserveCapacity(elements.count)
    var isGood = true
    for (index, element) in elements.enumerated() {
      let normalised: Result<String, FieldProblem> =
        if case .string(let text) = element { normalise(text) } else {
          .failure(Self.wrongType(element, expected: "a string"))
        }
      switch normalised {
      // As bytes: Swift holds composed and decomposed text for equal, MongoDB does not.
      case .success(let text): if !texts.contains(where: { $0.utf8.elementsEqual(text.utf8) }) { texts.append(text) }
      case .failure(let problem):
        reject("\(key)[\(index)]", problem)
        isGood = false
      }
    }
    return isGood ? texts : nil
  }

  /// A nested object, read by `read`; its errors become this reader's.
  public mutating func nested<Value>(
    _ key: String, required: Bool = false, _ read: (inout ObjectReader) -> Value?
  ) -> Value? {
    guard let json = value(key, required: required) else { return nil }
    var reader = ObjectReader(json, path: path(of: key))
    let value = read(&reader)
    let found = reader.finish()
    errors.append(contentsOf: found)
    return found.isEmpty ? value : nil
  }

  private func plain(_ value: Double) -> String { Int64(exactly: value).map(String.init) ?? "\(value)" }
}

/// Positions of an object's members; without an allocation for the first 64.
private struct MemberSet: Sendable {
  private var first: UInt64 = 0
  private var others: Set<Int> = []

  var count: Int { first.nonzeroBitCount + others.count }

  func contains(_ index: Int) -> Bool { index < 64 ? first & 1 << UInt64(index) != 0 : others.contains(index) }

  mutating func insert(_ index: Int) {
    if index < 64 { first |= 1 << UInt64(index) } else { others.insert(index) }
  }
}
