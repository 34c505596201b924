/// One element's place within a document's bytes.
public struct RawElement: Sendable {
  public let type: BSONType
  public let key: Range<Int>
  public let value: Range<Int>

  @inlinable
  init(type: BSONType, key: Range<Int>, value: Range<Int>) {
    self.type = type
    self.key = key
    self.value = value
  }
}

/// The elements of a document's bytes, each with its bounds checked before it is handed out.
///
/// It reads nothing outside `bytes` whatever they hold, and ends at the terminator or at the first malformed element.
/// For readers of very many documents, who make no value of what they only look at; others take `BSONDocument`'s elements.
public struct RawElements: IteratorProtocol {
  public let bytes: UnsafeRawBufferPointer
  @usableFromInline var offset: Int
  /// Where the terminator is.
  @usableFromInline let end: Int

  /// - Parameter bytes: a framed document (`hasFrame`); others have no elements.
  @inlinable
  init(_ bytes: UnsafeRawBufferPointer, offset: Int = 4) {
    self.bytes = bytes
    self.offset = offset
    end = bytes.count - 1
  }

  /// The elements of the document or array at `range`; none when its length prefix or terminator is wrong. Offsets of
  /// elements count from the start of `bytes`.
  @inlinable
  public init(_ bytes: UnsafeRawBufferPointer, at range: Range<Int>) {
    self.bytes = bytes
    let isFramed =
      range.lowerBound >= 0 && range.upperBound <= bytes.count
      && Self.hasFrame(UnsafeRawBufferPointer(rebasing: bytes[range]))
    offset = range.lowerBound + 4
    end = isFramed ? range.upperBound - 1 : offset
  }

  /// True when the length prefix is the number of bytes and the last byte is the terminator.
  @inlinable
  static func hasFrame(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= BSONLimits.emptyDocument && bytes[bytes.count - 1] == 0 && length(bytes, 0) == bytes.count
  }

  /// Where a malformed document stopped making sense: true when the terminator was reached.
  var atEnd: Bool { offset == end }

  @inlinable
  public mutating func next() -> RawElement? {
    // The last byte is the frame's terminator and belongs to no element.
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
  @inlinable
  static func size(of type: BSONType, _ bytes: UnsafeRawBufferPointer, at start: Int, before end: Int) -> Int? {
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
  @inlinable @inline(__always)
  static func zero(_ bytes: UnsafeRawBufferPointer, from: Int, before: Int) -> Int? {
    var offset = from
    while offset < before {
      if bytes[offset] == 0 { return offset }
      offset += 1
    }
    return nil
  }

  /// A length prefix; nil when it is negative. The caller has checked that 4 bytes are there.
  @inlinable @inline(__always)
  static func length(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
    let value = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    return value >= 0 ? Int(value) : nil
  }
}
