import JSON

/// What is wrong with a request, field by field; never empty.
struct InvalidInput: Error, Equatable {
  struct Problem: Equatable {
    let field: String
    let code: String
    let message: String
  }

  let problems: [Problem]
}

/// Reads the members of a JSON object, collects everything that is wrong with them, and knows which are unknown.
struct FieldReader {
  private let object: JSONObject
  private let path: String
  private var known: [String] = []
  private var problems: [InvalidInput.Problem] = []

  /// - Parameter path: put before the names of fields; ends with a point unless it is empty.
  init(_ json: JSONValue, path: String) {
    self.path = path
    if let object = json.objectValue {
      self.object = object
    } else {
      object = JSONObject()
      let field = path.isEmpty ? "body" : String(path.dropLast())
      problems = [.init(field: field, code: "invalid_type", message: "expected an object, got \(json.typeName)")]
    }
  }

  /// - Throws: all problems found, unknown members among them.
  mutating func finish() throws(InvalidInput) {
    let found = collect()
    guard found.isEmpty else { throw InvalidInput(problems: found) }
  }

  /// Required text of `lengths` bytes without control characters other than, where `multiline`, tabs and line ends.
  mutating func text(_ name: String, _ lengths: ClosedRange<Int>, multiline: Bool = false) -> String {
    guard let value = member(name) else {
      fail(name, "required", "is missing")
      return ""
    }
    return text(name, value, lengths, multiline: multiline) ?? ""
  }

  mutating func optionalText(_ name: String, _ lengths: ClosedRange<Int>) -> String? {
    guard let value = member(name), !value.isNull else { return nil }
    return text(name, value, lengths, multiline: false)
  }

  mutating func rate(_ name: String, into target: inout Double) {
    guard let value = member(name) else { return }
    guard let number = value.doubleValue else { return wrongType(name, "a number", value) }
    guard number >= 0, number <= 1 else { return fail(name, "out_of_range", "must be between 0 and 1") }
    target = number
  }

  mutating func integer(_ name: String, _ range: ClosedRange<Int>, into target: inout Int) {
    guard let value = member(name) else { return }
    guard let number = value.intValue else { return wrongType(name, "an integer", value) }
    guard let small = Int(exactly: number), range.contains(small) else {
      return fail(name, "out_of_range", "must be between \(range.lowerBound) and \(range.upperBound)")
    }
    target = small
  }

  mutating func flag(_ name: String, into target: inout Bool) {
    guard let value = member(name) else { return }
    guard let flag = value.boolValue else { return wrongType(name, "true or false", value) }
    target = flag
  }

  /// `[lowest, highest]`
  mutating func range(_ name: String, _ bounds: ClosedRange<Int>, into target: inout [Int]) {
    guard let value = member(name) else { return }
    let numbers = value.arrayValue?.compactMap { $0.intValue.flatMap { Int(exactly: $0) } } ?? []
    guard numbers.count == 2, value.arrayValue?.count == 2 else {
      return wrongType(name, "two integers [lowest, highest]", value)
    }
    guard numbers.allSatisfy(bounds.contains), numbers[0] <= numbers[1] else {
      return fail(
        name, "out_of_range",
        "must be [lowest, highest] between \(bounds.lowerBound) and \(bounds.upperBound), lowest first")
    }
    target = numbers
  }

  mutating func nested(_ name: String, _ read: (inout FieldReader) -> Void) {
    guard let value = member(name) else { return }
    var reader = FieldReader(value, path: "\(path)\(name).")
    read(&reader)
    problems += reader.collect()
  }

  mutating func fail(_ name: String, _ code: String, _ message: String) {
    problems.append(.init(field: path + name, code: code, message: message))
  }

  private mutating func member(_ name: String) -> JSONValue? {
    known.append(name)
    return object[name]
  }

  private mutating func wrongType(_ name: String, _ expected: String, _ value: JSONValue) {
    fail(name, "invalid_type", "expected \(expected), got \(value.typeName)")
  }

  private mutating func text(
    _ name: String, _ value: JSONValue, _ lengths: ClosedRange<Int>, multiline: Bool
  ) -> String? {
    guard let text = value.stringValue else {
      wrongType(name, "a string", value)
      return nil
    }
    let length = text.utf8.count
    if length < lengths.lowerBound { fail(name, length == 0 ? "required" : "too_short", "is too short") }
    if length > lengths.upperBound { fail(name, "too_long", "has more than \(lengths.upperBound) bytes") }
    let isControl: (UInt8) -> Bool = { byte in
      (byte < 0x20 && !(multiline && (byte == 0x09 || byte == 0x0A || byte == 0x0D))) || byte == 0x7F
    }
    if text.utf8.contains(where: isControl) { fail(name, "invalid_characters", "contains control characters") }
    return text
  }

  private func collect() -> [InvalidInput.Problem] {
    let unknown = object.entries.lazy.map(\.key).filter { !known.contains($0) }
    return problems + unknown.map { .init(field: path + $0, code: "unknown_field", message: "is not a known field") }
  }
}
