import CSimdJSON

extension JSONValue {
  /// The deepest nesting that any `maxDepth` can allow.
  public static let deepestNesting = 512

  /// Parses a JSON text (RFC 8259), strictly.
  ///
  /// UTF-8 is validated, a member name occurs once in an object, numbers fit (integers into Int64), a surrogate has its
  /// other half, and nothing but white space follows the value.
  ///
  /// - Parameter maxDepth: levels of arrays and objects allowed, the outermost included; at most `deepestNesting`.
  public static func parse(_ bytes: UnsafeRawBufferPointer, maxDepth: Int = 64) throws(JSONError) -> JSONValue {
    try read(bytes, maxDepth) { reader throws(TapeError) in try reader.value(depth: 0) }
  }

  public static func parse(_ bytes: [UInt8], maxDepth: Int = 64) throws(JSONError) -> JSONValue {
    try bytes.withUnsafeBytes { buffer in
      Result { () throws(JSONError) in try parse(buffer, maxDepth: maxDepth) }
    }.get()
  }

  public static func parse(_ text: String, maxDepth: Int = 64) throws(JSONError) -> JSONValue {
    var text = text
    return try text.withUTF8 { buffer in
      Result { () throws(JSONError) in try parse(UnsafeRawBufferPointer(buffer), maxDepth: maxDepth) }
    }.get()
  }

  /// Parses a JSON text as `parse(_:maxDepth:)` does, but hands the elements of one array, a member of the outermost object,
  /// over one after another, so that they are never all in memory.
  ///
  /// - Parameters:
  ///   - limit: elements that the array may have. One that has more, or none, is a member like any other.
  ///   - body: takes an element and its position. The text may still turn out to be bad further on.
  /// - Returns: the value, without that member where its elements were handed over; and whether they were.
  public static func parse(
    _ bytes: [UInt8], maxDepth: Int = 64, elementsOf key: String, atMost limit: Int,
    _ body: (_ index: Int, JSONValue) -> Void
  ) throws(JSONError) -> (rest: JSONValue, handedOver: Bool) {
    try bytes.withUnsafeBytes { buffer in
      Result { () throws(JSONError) in
        try read(buffer, maxDepth) { reader throws(TapeError) in
          try reader.value(handingOver: key, atMost: limit, body)
        }
      }
    }.get()
  }

  private static func read<Value>(
    _ bytes: UnsafeRawBufferPointer, _ maxDepth: Int, _ body: (inout TapeReader) throws(TapeError) -> Value
  ) throws(JSONError) -> Value {
    var document = csimdjson_document()
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let status = csimdjson_parse(base, bytes.count, &document)
    guard status == CSIMDJSON_OK.rawValue, let tape = document.tape, let strings = document.strings else {
      throw failure(status, bytes, maxDepth)
    }
    defer { csimdjson_release(&document) }
    var reader = TapeReader(tape: tape, strings: UnsafeRawPointer(strings), maxDepth: min(maxDepth, deepestNesting))
    do {
      return try body(&reader)
    } catch {
      switch error {
      case .tooDeep: throw .tooDeep(limit: reader.maxDepth)
      case .duplicateKey(let path): throw .duplicateKey(path: path)
      case .unrepresentable: throw JSONDiagnosis.explain(bytes, maxDepth: reader.maxDepth)
      }
    }
  }

  private static func failure(_ status: Int32, _ bytes: UnsafeRawBufferPointer, _ maxDepth: Int) -> JSONError {
    if status == CSIMDJSON_CAPACITY.rawValue {
      return .invalid(message: "the text is too large", offset: nil)
    }
    return JSONDiagnosis.explain(bytes, maxDepth: min(maxDepth, deepestNesting))
  }
}

/// Why a tape that simdjson accepted makes no value.
private enum TapeError: Error {
  case tooDeep
  case duplicateKey(path: String)
  /// An unsigned integer beyond Int64, or a string with half a surrogate pair: located by `JSONDiagnosis`.
  case unrepresentable
}

/// Builds values from simdjson's tape: 64-bit words with the type in the top byte and a 56-bit payload.
private struct TapeReader {
  let tape: UnsafePointer<UInt64>
  let strings: UnsafeRawPointer
  let maxDepth: Int
  /// Next word. Word 0 is the root.
  var index = 1

  init(tape: UnsafePointer<UInt64>, strings: UnsafeRawPointer, maxDepth: Int) {
    self.tape = tape
    self.strings = strings
    self.maxDepth = maxDepth
  }

  mutating func value(depth: Int) throws(TapeError) -> JSONValue {
    let word = tape[index]
    switch Self.type(word) {
    case UInt8(ascii: "\""):
      index += 1
      return .string(try string(word))
    case UInt8(ascii: "l"):
      defer { index += 2 }
      return .int(Int64(bitPattern: tape[index + 1]))
    case UInt8(ascii: "d"):
      defer { index += 2 }
      return .double(Double(bitPattern: tape[index + 1]))
    case UInt8(ascii: "t"):
      index += 1
      return .bool(true)
    case UInt8(ascii: "f"):
      index += 1
      return .bool(false)
    case UInt8(ascii: "n"):
      index += 1
      return .null
    case UInt8(ascii: "["):
      return .array(try array(word, depth: depth + 1))
    case UInt8(ascii: "{"):
      return .object(try object(word, depth: depth + 1))
    default:
      throw .unrepresentable
    }
  }

  /// The outermost value; see `JSONValue.parse(_:maxDepth:elementsOf:atMost:_:)`.
  mutating func value(
    handingOver key: String, atMost limit: Int, _ body: (_ index: Int, JSONValue) -> Void
  ) throws(TapeError) -> (rest: JSONValue, handedOver: Bool) {
    let word = tape[index]
    guard Self.type(word) == UInt8(ascii: "{") else { return (try value(depth: 0), false) }
    var handedOver = false
    let rest = try object(word, depth: 1) { member, reader throws(TapeError) in
      guard member == key else { return false }
      guard !handedOver else { throw .duplicateKey(path: key) }
      let word = reader.tape[reader.index]
      guard Self.type(word) == UInt8(ascii: "["), (1...limit).contains(Self.count(word)) else { return false }
      handedOver = true
      do throws(TapeError) {
        try reader.elements(word, depth: 2, body)
      } catch {
        throw error.within(key)
      }
      return true
    }
    return (.object(rest), handedOver)
  }

  private mutating func array(_ word: UInt64, depth: Int) throws(TapeError) -> [JSONValue] {
    var elements: [JSONValue] = []
    elements.reserveCapacity(Self.reservation(word))
    try self.elements(word, depth: depth) { elements.append($1) }
    return elements
  }

  @inline(__always)
  private mutating func elements(
    _ word: UInt64, depth: Int, _ body: (_ index: Int, JSONValue) -> Void
  ) throws(TapeError) {
    guard depth <= maxDepth else { throw .tooDeep }
    let end = Self.indexPastEnd(word) - 1
    var count = 0
    index += 1
    while index < end {
      do {
        body(count, try value(depth: depth))
      } catch {
        throw error.within("[\(count)]")
      }
      count += 1
    }
    index = end + 1
  }

  /// - Parameter take: gets each key with the reader at its value; true when it has read that, and the object is to do
  ///   without.
  private mutating func object(
    _ word: UInt64, depth: Int, take: (String, inout TapeReader) throws(TapeError) -> Bool = { _, _ in false }
  ) throws(TapeError) -> JSONObject {
    guard depth <= maxDepth else { throw .tooDeep }
    let end = Self.indexPastEnd(word) - 1
    var entries: [(key: String, value: JSONValue)] = []
    entries.reserveCapacity(Self.reservation(word))
    var seen = KeySet(expected: Self.reservation(word))
    index += 1
    while index < end {
      let key = try string(tape[index])
      index += 1
      guard seen.insert(key, among: entries) else { throw .duplicateKey(path: key) }
      if try take(key, &self) { continue }
      do {
        entries.append((key, try value(depth: depth)))
      } catch {
        throw error.within(key)
      }
    }
    index = end + 1
    return JSONObject(entries)
  }

  private func string(_ word: UInt64) throws(TapeError) -> String {
    let start = strings + Int(word & 0x00FF_FFFF_FFFF_FFFF)
    let length = Int(start.loadUnaligned(as: UInt32.self))
    let bytes = UnsafeBufferPointer(start: (start + 4).assumingMemoryBound(to: UInt8.self), count: length)
    // The text was valid UTF-8 as a whole, but an escape can still have written half a surrogate pair. `String(validating:)`
    // takes its argument for any collection, which costs twice as much.
    guard let text = try? UTF8Span(validating: bytes.span) else { throw .unrepresentable }
    return String(copying: text)
  }

  private static func indexPastEnd(_ word: UInt64) -> Int { Int(word & 0xFFFF_FFFF) }

  /// Number of elements, saturated by simdjson at 2^24 - 1.
  private static func count(_ word: UInt64) -> Int { Int(word >> 32 & 0xFF_FFFF) }

  /// Elements to make room for before they are read.
  private static func reservation(_ word: UInt64) -> Int { min(count(word), 65_536) }

  private static func type(_ word: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> 56) }
}

extension TapeError {
  /// The same error seen from one level further out.
  fileprivate func within(_ step: String) -> TapeError {
    guard case .duplicateKey(let path) = self else { return self }
    return .duplicateKey(path: path.hasPrefix("[") ? step + path : "\(step).\(path)")
  }
}

/// Finds a repeated key: by comparison in small objects, by hashing in large ones.
private struct KeySet {
  private var hashed: Set<String>?

  init(expected: Int) { hashed = expected > 16 ? Set(minimumCapacity: expected) : nil }

  mutating func insert(_ key: String, among entries: [(key: String, value: JSONValue)]) -> Bool {
    if hashed != nil { return hashed!.insert(key).inserted }
    for entry in entries where entry.key == key { return false }
    return true
  }
}
