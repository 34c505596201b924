/// Checks bytes from outside completely, without decoding them.
enum BSONValidator {
  static func validate(_ bytes: [UInt8]) throws(BSONError) {
    let failure: BSONError? = bytes.withUnsafeBytes { buffer in
      do throws(BSONError) {
        try document(buffer, base: 0, depth: 1)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// - Parameters:
  ///   - base: the offset of `bytes` within the outermost document, for messages.
  ///   - depth: 1 for the outermost document; bounds the recursion.
  private static func document(_ bytes: UnsafeRawBufferPointer, base: Int, depth: Int) throws(BSONError) {
    guard depth <= BSONLimits.depth else { throw .tooDeep(limit: BSONLimits.depth, offset: base) }
    guard RawElements.hasFrame(bytes) else { throw .badFrame(offset: base) }
    var elements = RawElements(bytes)
    while let element = elements.next() {
      try text(bytes, element.key, base: base)
      try value(bytes, element, base: base, depth: depth)
    }
    guard elements.atEnd else {
      let offset = elements.offset
      if BSONType(rawValue: bytes[offset]) == nil { throw .unknownType(bytes[offset], offset: base + offset) }
      throw .truncated(offset: base + offset)
    }
  }

  private static func value(
    _ bytes: UnsafeRawBufferPointer, _ element: RawElement, base: Int, depth: Int
  ) throws(BSONError) {
    let range = element.value
    switch element.type {
    case .string, .javascript, .symbol:
      try string(bytes, range, base: base)
    case .document, .array:
      try document(UnsafeRawBufferPointer(rebasing: bytes[range]), base: base + range.lowerBound, depth: depth + 1)
    case .javascriptWithScope:
      guard let (code, scope) = element.codeAndScope(bytes) else {
        throw .badValue("code with scope", offset: base + range.lowerBound)
      }
      try string(bytes, code, base: base)
      try document(UnsafeRawBufferPointer(rebasing: bytes[scope]), base: base + scope.lowerBound, depth: depth + 1)
    case .dbPointer:
      try string(bytes, range.lowerBound..<(range.upperBound - 12), base: base)
    case .regex:
      try text(bytes, range.lowerBound..<(range.upperBound - 1), base: base)
    case .bool where bytes[range.lowerBound] > 1:
      throw .badValue("a boolean is 0 or 1", offset: base + range.lowerBound)
    case .binary where element.decode(bytes) == nil:
      throw .badValue("binary subtype 2 repeats its length", offset: base + range.lowerBound)
    default:
      break
    }
  }

  /// A length-prefixed string that fills `range`.
  private static func string(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, base: Int) throws(BSONError) {
    guard range.count >= 5, RawElements.length(bytes, range.lowerBound) == range.count - 4,
      bytes[range.upperBound - 1] == 0
    else { throw .badValue("a string's length and NUL disagree", offset: base + range.lowerBound) }
    try text(bytes, (range.lowerBound + 4)..<(range.upperBound - 1), base: base)
  }

  private static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, base: Int) throws(BSONError) {
    let valid = UnsafeRawBufferPointer(rebasing: bytes[range]).withMemoryRebound(to: UInt8.self) { utf8 in
      (try? UTF8Span(validating: utf8.span)) != nil
    }
    if !valid { throw .invalidUTF8(offset: base + range.lowerBound) }
  }
}
