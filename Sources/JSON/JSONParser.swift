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
    var document = csimdjson_document()
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let status = csimdjson_parse(base, bytes.count, &document)
    guard status == CSIMDJSON_OK.rawValue, let tape = document.tape, let strings = document.strings else {
      throw failure(status, bytes, maxDepth)
    }
    defer { csimdjson_release() }
    var reader = TapeReader(tape: tape, strings: UnsafeRawPointer(strings), maxDepth: min(maxDepth, deepestNesting))
    do {
      return try reader.value(depth: 0)
    } catch {
      switch error {
      case .tooDeep: throw .tooDeep(limit: reader.maxDepth)
      case .duplicateKey(let path): throw .duplicateKey(path: path)
      case .unrepresentable: throw JSONDiagnosis.explain(bytes, maxDepth: reader.maxDepth)
      }
    }
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
    switch UInt8(truncatingIfNeeded: word >> 56) {
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

  private mutating func array(_ word: UInt64, depth: Int) throws(TapeError) -> [JSONValue] {
    guard depth <= maxDepth else { throw .tooDeep }
    let end = Self.indexPastEnd(word) - 1
    var elements: [JSONValue] = []
    elements.reserveCapacity(Self.count(word))
    index += 1
    while index < end {
      do {
        elements.append(try value(depth: depth))
      } catch {
        throw error.within("[\(elements.count)]")
      }
    }
    index = end + 1
    return elements
  }

  private mutating func object(_ word: UInt64, depth: Int) throws(TapeError) -> JSONObject {
    guard depth <= maxDepth else { throw .tooDeep }
    let end = Self.indexPastEnd(word) - 1
    var entries: [(key: String, value: JSONValue)] = []
    entries.reserveCapacity(Self.count(word))
    var seen = KeySet(expected: Self.count(word))
    index += 1
    while index < end {
      let key = try string(tape[index])
      index += 1
      guard seen.insert(key, among: entries) else { throw .duplicateKey(path: key) }
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

  /// Number of elements, saturated by simdjson at 2^24 - 1; also capped here, since it only sizes a reservation.
  private static func count(_ word: UInt64) -> Int { min(Int(word >> 32 & 0xFF_FFFF), 65_536) }
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
