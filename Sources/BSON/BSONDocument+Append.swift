/// Appending never looks for an earlier element of the same key; use the subscript to replace one.
extension BSONDocument {
  /// Appends `value` after checking `key`, for keys that come from outside.
  ///
  /// - Throws: `BSONError.invalidKey` when the key contains a NUL.
  public mutating func append(checking key: String, _ value: BSONValue) throws(BSONError) {
    guard Self.isValidKey(key) else { throw .invalidKey(key) }
    append(key, value)
  }

  public mutating func append(_ key: String, _ value: BSONValue) {
    switch value {
    case .double(let value): append(key, value)
    case .string(let value): append(key, value)
    case .document(let value): append(key, document: value)
    case .array(let values): append(key, array: values)
    case .binary(let subtype, let bytes): append(key, binary: bytes, subtype: subtype)
    case .objectID(let value): append(key, value)
    case .bool(let value): append(key, value)
    case .date(let milliseconds): appendDate(key, milliseconds: milliseconds)
    case .null: appendNull(key)
    case .regex(let pattern, let options): append(key, pattern: pattern, options: options)
    case .int32(let value): append(key, value)
    case .int64(let value): append(key, value)
    case .timestamp(let value): append(.timestamp, key, integer: value)
    case .decimal128(let low, let high):
      appendElement(.decimal128, key, payload: 16) { pointer in
        pointer.storeBytes(of: low.littleEndian, as: UInt64.self)
        (pointer + 8).storeBytes(of: high.littleEndian, as: UInt64.self)
      }
    case .minKey: append(empty: .minKey, key)
    case .maxKey: append(empty: .maxKey, key)
    case .undefined: append(empty: .undefined, key)
    case .javascript(let code): append(.javascript, key, text: code)
    case .symbol(let text): append(.symbol, key, text: text)
    case .javascriptWithScope(let code, let scope): append(key, code: code, scope: scope)
    case .dbPointer(let namespace, let id): append(key, namespace: namespace, id: id)
    }
  }

  public mutating func append(_ key: String, _ value: String) { append(.string, key, text: value) }

  public mutating func append(_ key: String, _ value: Int64) {
    append(.int64, key, integer: UInt64(bitPattern: value))
  }

  /// Appends a 64-bit integer.
  public mutating func append(_ key: String, _ value: Int) { append(key, Int64(value)) }

  public mutating func append(_ key: String, _ value: Int32) {
    appendElement(.int32, key, payload: 4) { $0.storeBytes(of: value.littleEndian, as: Int32.self) }
  }

  public mutating func append(_ key: String, _ value: Double) { append(.double, key, integer: value.bitPattern) }

  public mutating func append(_ key: String, _ value: Bool) {
    appendElement(.bool, key, payload: 1) { $0.storeBytes(of: value ? 1 : 0, as: UInt8.self) }
  }

  public mutating func append(_ key: String, _ value: ObjectID) {
    appendElement(.objectID, key, payload: 12) { value.store(to: $0) }
  }

  /// Appends a date, in milliseconds since the epoch.
  public mutating func appendDate(_ key: String, milliseconds: Int64) {
    append(.date, key, integer: UInt64(bitPattern: milliseconds))
  }

  /// Appends a UUID's 16 bytes as binary of subtype 4.
  public mutating func appendUUID(_ key: String, _ bytes: [UInt8]) {
    append(key, binary: bytes, subtype: BSONBinary.uuidSubtype)
  }

  public mutating func appendNull(_ key: String) { append(empty: .null, key) }

  public mutating func append(_ key: String, document: BSONDocument) {
    append(.document, key, nested: document)
  }

  public mutating func append(_ key: String, array: [BSONValue]) {
    var builder = BSONArrayBuilder()
    for value in array { builder.append(value) }
    append(key, array: builder)
  }

  public mutating func append(_ key: String, array: BSONArrayBuilder) {
    append(.array, key, nested: array.document)
  }

  /// Appends an array of strings, written where it is to stand.
  public mutating func append(_ key: String, strings: [String]) {
    var size = BSONLimits.emptyDocument
    // Type, index and its NUL, length and NUL of the text.
    for (index, text) in strings.enumerated() { size += 7 + Self.digits(of: index) + text.utf8.count }
    appendElement(.array, key, payload: size) { start in
      start.storeBytes(of: UInt32(truncatingIfNeeded: size).littleEndian, as: UInt32.self)
      var next = start + 4
      for (index, text) in strings.enumerated() {
        let digits = Self.digits(of: index)
        next.storeBytes(of: BSONType.string.rawValue, as: UInt8.self)
        next.storeDecimal(index, digits: digits, toByteOffset: 1)
        next.storeBytes(of: 0, toByteOffset: 1 + digits, as: UInt8.self)
        next += 2 + digits
        var text = text
        text.withUTF8 { next.storeText(UnsafeRawBufferPointer($0)) }
        next += 5 + text.utf8.count
      }
      next.storeBytes(of: 0, as: UInt8.self)
    }
  }

  private static func digits(of number: Int) -> Int {
    var (digits, rest) = (1, number / 10)
    while rest > 0 {
      digits += 1
      rest /= 10
    }
    return digits
  }

  /// Appends the array that `build` fills.
  public mutating func appendArray(_ key: String, _ build: (inout BSONArrayBuilder) throws -> Void) rethrows {
    var builder = BSONArrayBuilder()
    try build(&builder)
    append(key, array: builder)
  }

  /// Appends the document that `build` fills.
  public mutating func appendDocument(_ key: String, _ build: (inout BSONDocument) throws -> Void) rethrows {
    var nested = BSONDocument()
    try build(&nested)
    append(key, document: nested)
  }

  public mutating func append(_ key: String, binary: [UInt8], subtype: UInt8 = BSONBinary.generic) {
    // The deprecated subtype 2 repeats the length in front of its payload.
    let prefix = subtype == BSONBinary.oldGeneric ? 4 : 0
    appendElement(.binary, key, payload: 5 + prefix + binary.count) { pointer in
      pointer.storeBytes(of: UInt32(truncatingIfNeeded: binary.count + prefix).littleEndian, as: UInt32.self)
      pointer.storeBytes(of: subtype, toByteOffset: 4, as: UInt8.self)
      if prefix > 0 {
        (pointer + 5).storeBytes(of: UInt32(truncatingIfNeeded: binary.count).littleEndian, as: UInt32.self)
      }
      binary.withUnsafeBytes { (pointer + 5 + prefix).copy($0) }
    }
  }

  /// Appends every element of `other`.
  public mutating func append(contentsOf other: BSONDocument) {
    guard !other.isEmpty else { return }
    if other.hasInvalidKey { hasInvalidKey = true }
    bytes.removeLast()
    bytes.append(contentsOf: other.bytes[4...])
    storeLength()
  }
}

extension BSONDocument {
  private mutating func append(empty type: BSONType, _ key: String) {
    appendElement(type, key, payload: 0) { _ in }
  }

  private mutating func append(_ type: BSONType, _ key: String, integer: UInt64) {
    appendElement(type, key, payload: 8) { $0.storeBytes(of: integer.littleEndian, as: UInt64.self) }
  }

  private mutating func append(_ type: BSONType, _ key: String, text: String) {
    var text = text
    text.withUTF8 { utf8 in
      appendElement(type, key, payload: 5 + utf8.count) { $0.storeText(UnsafeRawBufferPointer(utf8)) }
    }
  }

  private mutating func append(_ type: BSONType, _ key: String, nested: BSONDocument) {
    if nested.hasInvalidKey { hasInvalidKey = true }
    nested.bytes.withUnsafeBytes { source in
      appendElement(type, key, payload: source.count) { $0.copy(source) }
    }
  }

  private mutating func append(_ key: String, pattern: String, options: String) {
    var body = withoutNUL(pattern)
    body.append(0)
    // The specification wants the options in alphabetical order.
    body.append(contentsOf: withoutNUL(options).sorted())
    body.append(0)
    body.withUnsafeBytes { source in
      appendElement(.regex, key, payload: source.count) { $0.copy(source) }
    }
  }

  private mutating func append(_ key: String, code: String, scope: BSONDocument) {
    if scope.hasInvalidKey { hasInvalidKey = true }
    var code = code
    code.withUTF8 { utf8 in
      let size = 9 + utf8.count + scope.bytes.count
      appendElement(.javascriptWithScope, key, payload: size) { pointer in
        pointer.storeBytes(of: UInt32(truncatingIfNeeded: size).littleEndian, as: UInt32.self)
        (pointer + 4).storeText(UnsafeRawBufferPointer(utf8))
        scope.bytes.withUnsafeBytes { (pointer + 9 + utf8.count).copy($0) }
      }
    }
  }

  private mutating func append(_ key: String, namespace: String, id: ObjectID) {
    var namespace = namespace
    namespace.withUTF8 { utf8 in
      appendElement(.dbPointer, key, payload: 17 + utf8.count) { pointer in
        pointer.storeText(UnsafeRawBufferPointer(utf8))
        id.store(to: pointer + 5 + utf8.count)
      }
    }
  }

  /// The text's bytes with each NUL replaced by U+FFFD; marks the document when there was one.
  private mutating func withoutNUL(_ text: String) -> [UInt8] {
    var clean: [UInt8] = []
    clean.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      if byte == 0 {
        hasInvalidKey = true
        clean.append(contentsOf: [0xEF, 0xBF, 0xBD])
      } else {
        clean.append(byte)
      }
    }
    return clean
  }

  /// Writes type, key and `payload` bytes that `write` fills, and restores terminator and length.
  @inline(__always)
  mutating func appendElement(
    _ type: BSONType, _ key: String, payload: Int, _ write: (UnsafeMutableRawPointer) -> Void
  ) {
    var key = key
    let written = key.withUTF8 { utf8 -> Bool in
      let source = UnsafeRawBufferPointer(utf8)
      if source.contains(0) { return false }
      appendElement(type, key: source, payload: payload, write)
      return true
    }
    if !written {
      withoutNUL(key).withUnsafeBytes { appendElement(type, key: $0, payload: payload, write) }
    }
  }

  @inline(__always)
  mutating func appendElement(
    _ type: BSONType, key: UnsafeRawBufferPointer, payload: Int, _ write: (UnsafeMutableRawPointer) -> Void
  ) {
    let typeOffset = bytes.count - 1
    let size = key.count + 1 + payload + 1
    bytes.append(addingCapacity: size) { span in
      span.withUnsafeMutableBufferPointer { buffer, count in
        guard let base = buffer.baseAddress else { return }
        // The span starts at the new bytes; the old terminator before them becomes the type byte below.
        let start = UnsafeMutableRawPointer(base + count)
        start.copy(key)
        start.storeBytes(of: 0, toByteOffset: key.count, as: UInt8.self)
        write(start + key.count + 1)
        start.storeBytes(of: 0, toByteOffset: size - 1, as: UInt8.self)
        count += size
      }
    }
    bytes[typeOffset] = type.rawValue
    storeLength()
  }

  @inline(__always)
  mutating func storeLength() {
    let length = UInt32(truncatingIfNeeded: bytes.count).littleEndian
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: length, as: UInt32.self) }
  }
}

extension UnsafeMutableRawPointer {
  @inline(__always)
  func copy(_ source: UnsafeRawBufferPointer) {
    if let base = source.baseAddress { copyMemory(from: base, byteCount: source.count) }
  }

  /// So many decimal digits.
  @inline(__always)
  func storeDecimal(_ number: Int, digits: Int, toByteOffset offset: Int) {
    var rest = number
    for place in stride(from: offset + digits - 1, through: offset, by: -1) {
      storeBytes(of: UInt8(truncatingIfNeeded: 48 + rest % 10), toByteOffset: place, as: UInt8.self)
      rest /= 10
    }
  }

  /// A length-prefixed, NUL-terminated string: 5 bytes more than its text.
  @inline(__always)
  func storeText(_ utf8: UnsafeRawBufferPointer) {
    storeBytes(of: UInt32(truncatingIfNeeded: utf8.count + 1).littleEndian, as: UInt32.self)
    (self + 4).copy(utf8)
    storeBytes(of: 0, toByteOffset: 4 + utf8.count, as: UInt8.self)
  }
}
