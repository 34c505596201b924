/// Header fields in the order in which they arrived or were added; names compare without regard to case.
///
/// All fields share one byte buffer, so that receiving a request costs two allocations and not two for each field;
/// strings are made when asked for. Each name and value in the buffer is followed by a NUL, ready for C.
public struct HTTPHeaders: Sendable {
  struct Field: Sendable {
    var name: Range<UInt32>
    var value: Range<UInt32>
  }

  private var bytes: [UInt8] = []
  private var fields: [Field] = []

  public init() {}

  /// Fields found in a block of bytes that has a NUL after every name and value.
  init(bytes: [UInt8], fields: [Field]) {
    self.bytes = bytes
    self.fields = fields
  }

  public var count: Int { fields.count }
  public var isEmpty: Bool { fields.isEmpty }

  /// The first value of the name; setting replaces every field of that name, `nil` removes them.
  public subscript(name: String) -> String? {
    get {
      for field in fields where matches(field, name) { return string(field.value) }
      return nil
    }
    set {
      remove(name)
      if let newValue { add(name, newValue) }
    }
  }

  /// Every value of the name, in order.
  public func values(_ name: String) -> [String] {
    fields.filter { matches($0, name) }.map { string($0.value) }
  }

  public func contains(_ name: String) -> Bool {
    fields.contains { matches($0, name) }
  }

  /// Appends a field and leaves others of the same name alone.
  ///
  /// Nothing is checked here: a name or value that HTTP does not allow is refused where the message is written
  /// (see `isValidName`, `isValidValue`).
  public mutating func add(_ name: String, _ value: String) {
    let nameStart = UInt32(bytes.count)
    bytes.append(contentsOf: name.utf8)
    let nameEnd = UInt32(bytes.count)
    bytes.append(0)
    let valueStart = UInt32(bytes.count)
    bytes.append(contentsOf: value.utf8)
    let valueEnd = UInt32(bytes.count)
    bytes.append(0)
    fields.append(Field(name: nameStart..<nameEnd, value: valueStart..<valueEnd))
  }

  /// Removes every field of that name.
  public mutating func remove(_ name: String) {
    guard contains(name) else { return }
    fields = fields.filter { !matches($0, name) }
  }

  /// Whether `name` is a token (RFC 9110, section 5.1).
  public static func isValidName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.allSatisfy { CharacterClass.token.contains($0) }
  }

  /// Whether `value` has no control bytes, line ends among them; a tab is allowed.
  public static func isValidValue(_ value: String) -> Bool {
    value.utf8.allSatisfy { CharacterClass.fieldValue.contains($0) }
  }

  private func string(_ range: Range<UInt32>) -> String {
    String(decoding: bytes[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
  }

  private func matches(_ field: Field, _ name: String) -> Bool {
    guard field.name.count == name.utf8.count else { return false }
    var index = Int(field.name.lowerBound)
    for byte in name.utf8 {
      if CharacterClass.lowercased(bytes[index]) != CharacterClass.lowercased(byte) { return false }
      index += 1
    }
    return true
  }

  /// Calls `body` with each name and value, in order. They are valid only during the call; a NUL follows each.
  func forEachField(_ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) -> Void) {
    bytes.withUnsafeBufferPointer { buffer in
      for field in fields {
        body(
          UnsafeBufferPointer(rebasing: buffer[Int(field.name.lowerBound)..<Int(field.name.upperBound)]),
          UnsafeBufferPointer(rebasing: buffer[Int(field.value.lowerBound)..<Int(field.value.upperBound)]))
      }
    }
  }
}

extension HTTPHeaders: Sequence {
  public struct Iterator: IteratorProtocol {
    fileprivate let headers: HTTPHeaders
    fileprivate var index = 0

    public mutating func next() -> (name: String, value: String)? {
      guard index < headers.fields.count else { return nil }
      defer { index += 1 }
      let field = headers.fields[index]
      return (headers.string(field.name), headers.string(field.value))
    }
  }

  public func makeIterator() -> Iterator { Iterator(headers: self) }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }
}

extension HTTPHeaders: CustomStringConvertible {
  public var description: String { map { "\($0.name): \($0.value)" }.joined(separator: "\n") }
}
