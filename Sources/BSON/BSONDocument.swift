/// An ordered list of keys and values, held as its BSON bytes.
///
/// Appending writes bytes at once, so that a document is always ready to be sent; reading scans the bytes and decodes
/// only what is asked for. Documents are equal when their bytes are: the order of keys counts.
public struct BSONDocument: Hashable, Sendable {
  /// The whole document: length prefix, elements, terminator. Always at least 5 bytes with a right prefix.
  public internal(set) var bytes: [UInt8]

  /// True when a key or a pattern with a NUL was appended. BSON cannot express it: in `bytes` each NUL became U+FFFD, so
  /// that outside data can never change a document's structure, and the Mongo wrapper refuses to send the document.
  public internal(set) var hasInvalidKey = false

  private static let empty: [UInt8] = [5, 0, 0, 0, 0]

  /// An empty document.
  public init() {
    bytes = Self.empty
  }

  /// An empty document with room for `capacity` bytes.
  public init(capacity: Int) {
    bytes = []
    bytes.reserveCapacity(Swift.max(capacity, BSONLimits.emptyDocument))
    bytes.append(contentsOf: Self.empty)
  }

  /// A document from outside: structure, lengths, UTF-8 and nesting (at most 100 levels) are checked throughout.
  public init(validating bytes: [UInt8]) throws(BSONError) {
    try BSONValidator.validate(bytes)
    self.bytes = bytes
  }

  /// A document from bytes that are known to be good, such as a reply of the server.
  ///
  /// Reading stays memory-safe even if they are not: a document whose frame (length prefix, terminator) is wrong becomes
  /// the empty one, and elements end at the first that is malformed.
  public init(unchecked bytes: [UInt8]) {
    self.bytes = bytes.withUnsafeBytes(RawElements.hasFrame) ? bytes : Self.empty
  }

  /// As `init(unchecked:)`, copying the bytes once.
  public init(uncheckedCopying bytes: UnsafeRawBufferPointer) {
    self.bytes = RawElements.hasFrame(bytes) ? Array(bytes) : Self.empty
  }

  /// A document of the given pairs, in order.
  public init(_ elements: some Sequence<(key: String, value: BSONValue)>) {
    self.init()
    for (key, value) in elements { append(key, value) }
  }

  /// True when `key` can be a BSON key: it contains no NUL.
  public static func isValidKey(_ key: String) -> Bool { !key.utf8.contains(0) }

  public var isEmpty: Bool { bytes.count == BSONLimits.emptyDocument }

  /// How many elements there are; scans the document.
  public var count: Int { elements.reduce(into: 0) { count, _ in count += 1 } }

  /// The keys in order.
  public var keys: [String] { elements.map(\.key) }
}

extension BSONDocument: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, BSONValue)...) {
    self.init(elements.lazy.map { (key: $0.0, value: $0.1) })
  }
}

extension BSONDocument: CustomStringConvertible {
  /// Relaxed extended JSON.
  public var description: String { extendedJSON() }
}
