/// One element of a document, not yet decoded: its key can be compared without making a `String`.
public struct BSONElement: Sendable {
  private let document: [UInt8]
  private let raw: RawElement

  init(_ document: [UInt8], _ raw: RawElement) {
    self.document = document
    self.raw = raw
  }

  public var type: BSONType { raw.type }

  public var key: String { String(decoding: document[raw.key], as: UTF8.self) }

  /// True when the key has exactly the bytes of `other`.
  public func keyIs(_ other: StaticString) -> Bool {
    guard other.hasPointerRepresentation, raw.key.count == other.utf8CodeUnitCount else { return false }
    return document[raw.key].elementsEqual(UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
  }

  /// The decoded value; nil only in a malformed document that was never validated.
  public var value: BSONValue? { document.withUnsafeBytes { raw.decode($0) } }
}

/// The elements of a document in order, decoded on demand. Ends at the first malformed element.
public struct BSONElements: Sequence, IteratorProtocol, Sendable {
  private let document: [UInt8]
  private var offset = 4

  init(_ document: [UInt8]) { self.document = document }

  public mutating func next() -> BSONElement? {
    let (raw, after) = document.withUnsafeBytes { bytes in
      var elements = RawElements(bytes, offset: offset)
      return (elements.next(), elements.offset)
    }
    offset = after
    return raw.map { BSONElement(document, $0) }
  }
}

extension BSONDocument {
  /// The elements in order, each decoded only when asked.
  public var elements: BSONElements { BSONElements(bytes) }
}

extension BSONDocument: Sequence {
  public struct Iterator: IteratorProtocol {
    private var elements: BSONElements

    init(_ document: BSONDocument) { elements = document.elements }

    public mutating func next() -> (key: String, value: BSONValue)? {
      guard let element = elements.next(), let value = element.value else { return nil }
      return (element.key, value)
    }
  }

  public func makeIterator() -> Iterator { Iterator(self) }

  /// Not known without a scan.
  public var underestimatedCount: Int { 0 }
}
