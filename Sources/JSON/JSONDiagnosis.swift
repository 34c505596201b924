/// Finds the first thing wrong with a text that the fast parser refused, for the message to its sender.
///
/// simdjson says that a document is bad, not where. This recursive-descent reader runs on the error path only.
struct JSONDiagnosis {
  private let bytes: UnsafeRawBufferPointer
  private let maxDepth: Int
  private var index = 0

  /// The reason why `bytes` is refused, with its offset where there is one.
  static func explain(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) -> JSONError {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      return .invalid(message: "unexpected byte order mark", offset: 0)
    }
    if let offset = firstInvalidUTF8(bytes) {
      return .invalid(message: "invalid UTF-8", offset: offset)
    }
    var reader = JSONDiagnosis(bytes: bytes, maxDepth: maxDepth)
    do {
      try reader.skipSpace()
      try reader.value(depth: 0)
      try reader.skipSpace()
      if reader.index < bytes.count { return reader.unexpected("after the value") }
      return .invalid(message: "not acceptable", offset: nil)
    } catch {
      return error
    }
  }

  private init(bytes: UnsafeRawBufferPointer, maxDepth: Int) {
    self.bytes = bytes
    self.maxDepth = maxDepth
  }

  private var byte: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() throws(JSONError) {
    while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
  }

  private func unexpected(_ context: String) -> JSONError {
    guard let byte else { return .invalid(message: "unexpected end \(context)", offset: index) }
    let shown: String
    if byte > 0x20, byte < 0x7F {
      shown = "'\(Character(Unicode.Scalar(byte)))'"
    } else if byte < 0x80 {
      shown = "control character \(byte)"
    } else {
      shown = "character"
    }
    return .invalid(message: "unexpected \(shown) \(context)", offset: index)
  }

  private mutating func value(depth: Int) throws(JSONError) {
    switch byte {
    case UInt8(ascii: "{"): try object(depth: depth + 1)
    case UInt8(ascii: "["): try array(depth: depth + 1)
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    case UInt8(ascii: "-"): try number()
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): try number()
    default: throw unexpected("where a value should be")
    }
  }

  private mutating func object(depth: Int) throws(JSONError) {
    guard depth <= maxDepth else { throw .tooDeep(limit: maxDepth) }
    index += 1
    try skipSpace()
    if byte == UInt8(ascii: "}") {
      index += 1
      return
    }
    while true {
      guard byte == UInt8(ascii: "\"") else { throw unexpected("where a member name should be") }
      try string()
      try skipSpace()
      guard byte == UInt8(ascii: ":") else { throw unexpected("after a member name") }
      index += 1
      try skipSpace()
      try value(depth: depth)
      try skipSpace()
      if byte == UInt8(ascii: "}") { break }
      guard byte == UInt8(ascii: ",") else { throw unexpected("in an object") }
      index += 1
      try skipSpace()
    }
    index += 1
  }

  private mutating func array(depth: Int) throws(JSONError) {
    guard depth <= maxDepth else { throw .tooDeep(limit: maxDepth) }
    index += 1
    try skipSpace()
    if byte == UInt8(ascii: "]") {
      index += 1
      return
    }
    while true {
      try value(depth: depth)
      try skipSpace()
      if byte == UInt8(ascii: "]") { break }
      guard byte == UInt8(ascii: ",") else { throw unexpected("in an array") }
      index += 1
      try skipSpace()
    }
    index += 1
  }

  private mutating func literal(_ word: StaticString) throws(JSONError) {
    for offset in 0..<word.utf8CodeUnitCount {
      guard byte == word.utf8Start[offset] else { throw unexpected("in a literal") }
      index += 1
    }
    if let byte, !Self.endsToken(byte) { throw unexpected("in a literal") }
  }

  private mutating func number() throws(JSONError) {
    let start = index
    var integral = true
    if byte == UInt8(ascii: "-") { index += 1 }
    if byte == UInt8(ascii: "0") {
      index += 1
    } else {
      try digits()
    }
    if byte == UInt8(ascii: ".") {
      integral = false
      index += 1
      try digits()
    }
    if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      integral = false
      index += 1
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { index += 1 }
      try digits()
    }
    if let byte, !Self.endsToken(byte) { throw unexpected("in a number") }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    let representable = integral ? Int64(text) != nil : Double(text).map(\.isFinite) ?? false
    guard representable else {
      let shown = text.utf8.count <= 40 ? text : String(text.prefix(40)) + "…"
      throw .numberOutOfRange(number: shown, offset: start)
    }
  }

  private mutating func digits() throws(JSONError) {
    let start = index
    while let byte, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
    if index == start { throw unexpected("in a number") }
  }

  private mutating func string() throws(JSONError) {
    index += 1
    while let byte {
      switch byte {
      case UInt8(ascii: "\""):
        index += 1
        return
      case UInt8(ascii: "\\"):
        try escape()
      case 0..<0x20:
        throw unexpected("in a string")
      default:
        index += 1
      }
    }
    throw unexpected("in a string")
  }

  private mutating func escape() throws(JSONError) {
    let start = index
    index += 1
    switch byte {
    case UInt8(ascii: "u"):
      let unit = try hexUnit()
      if unit >= 0xDC00, unit <= 0xDFFF { throw .invalid(message: "half a surrogate pair", offset: start) }
      guard unit >= 0xD800, unit <= 0xDBFF else { return }
      guard byte == UInt8(ascii: "\\") else { throw .invalid(message: "half a surrogate pair", offset: start) }
      index += 1
      guard byte == UInt8(ascii: "u") else { throw .invalid(message: "half a surrogate pair", offset: start) }
      let second = try hexUnit()
      guard second >= 0xDC00, second <= 0xDFFF else { throw .invalid(message: "half a surrogate pair", offset: start) }
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      index += 1
    default:
      throw unexpected("in an escape")
    }
  }

  /// The four digits after `\u`.
  private mutating func hexUnit() throws(JSONError) -> UInt32 {
    index += 1
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw unexpected("in an escape")
      }
      unit = unit << 4 | UInt32(digit)
      index += 1
    }
    return unit
  }

  private static func endsToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"): true
    default: false
    }
  }

  private static func firstInvalidUTF8(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput: return nil
      case .error: return offset
      }
    }
  }
}
