/// One element's place within a document's bytes.
struct RawElement {
  let type: BSONType
  let key: Range<Int>
  let value: Range<Int>
}

/// The elements of a document's bytes, each with its bounds checked before it is handed out.
///
/// It reads nothing outside `bytes` whatever they hold, and ends at the terminator or at the first malformed element.
struct RawElements: IteratorProtocol {
  let bytes: UnsafeRawBufferPointer
  private(set) var offset = 4

  /// - Parameter bytes: a framed document (`hasFrame`); others have no elements.
  init(_ bytes: UnsafeRawBufferPointer, offset: Int = 4) {
    self.bytes = bytes
    self.offset = offset
  }

  /// True when the length prefix is the number of bytes and the last byte is the terminator.
  static func hasFrame(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= BSONLimits.emptyDocument && bytes[bytes.count - 1] == 0 && length(bytes, 0) == bytes.count
  }

  /// Where a malformed document stopped making sense: true when the terminator was reached.
  var atEnd: Bool { offset == bytes.count - 1 }

  mutating func next() -> RawElement? {
    // The last byte is the frame's terminator and belongs to no element.
    let end = bytes.count - 1
    guard offset < end, let type = BSONType(rawValue: bytes[offset]) else { return nil }
    let keyStart = offset + 1
    guard let keyEnd = Self.zero(bytes, from: keyStart, before: end) else { return nil }
    let valueStart = keyEnd + 1
    guard let size = Self.size(of: type, bytes, at: valueStart, before: end), size <= end - valueStart else {
      return nil
    }
    offset = valueStart + size
    return RawElement(type: type, key: keyStart..<keyEnd, value: valueStart..<offset)
  }

  /// How many bytes the value at `start` says it takes; nil when its size cannot be read. May exceed what there is.
  private static func size(of type: BSONType, _ bytes: UnsafeRawBufferPointer, at start: Int, before end: Int) -> Int? {
    switch type {
    case .double, .date, .timestamp, .int64: return 8
    case .int32: return 4
    case .bool: return 1
    case .objectID: return 12
    case .decimal128: return 16
    case .null, .undefined, .minKey, .maxKey: return 0
    case .regex:
      guard let pattern = zero(bytes, from: start, before: end),
        let options = zero(bytes, from: pattern + 1, before: end)
      else { return nil }
      return options + 1 - start
    case .string, .javascript, .symbol:
      guard end - start >= 5, let length = length(bytes, start), length >= 1 else { return nil }
      return 4 + length
    case .binary:
      guard end - start >= 5, let length = length(bytes, start) else { return nil }
      return 5 + length
    case .document, .array, .javascriptWithScope:
      guard end - start >= BSONLimits.emptyDocument, let length = length(bytes, start),
        length >= BSONLimits.emptyDocument
      else { return nil }
      return length
    case .dbPointer:
      guard end - start >= 5, let length = length(bytes, start), length >= 1 else { return nil }
      return 16 + length
    }
  }

  /// The offset of the next NUL within `from..<before`.
  @inline(__always)
  static func zero(_ bytes: UnsafeRawBufferPointer, from: Int, before: Int) -> Int? {
    var offset = from
    while offset < before {
      if bytes[offset] == 0 { return offset }
      offset += 1
    }
    return nil
  }

  /// A length prefix; nil when it is negative. The caller has checked that 4 bytes are there.
  @inline(__always)
  static func length(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
    let value = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    return value >= 0 ? Int(value) : nil
  }
}
