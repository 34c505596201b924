/// Writes the bytes of an array without building its values first; see `BSONDocument.appendArray`.
public struct BSONArrayBuilder: Sendable {
  /// An array is a document whose keys are "0", "1", ….
  var document: BSONDocument

  /// How many values were appended.
  public private(set) var count = 0

  public init() { document = BSONDocument() }

  /// - Parameter capacity: bytes to reserve.
  public init(capacity: Int) { document = BSONDocument(capacity: capacity) }

  public mutating func append(_ value: BSONValue) { document.append(nextKey(), value) }
  public mutating func append(_ value: String) { document.append(nextKey(), value) }
  public mutating func append(_ value: Int64) { document.append(nextKey(), value) }
  public mutating func append(_ value: Int) { document.append(nextKey(), value) }
  public mutating func append(_ value: Int32) { document.append(nextKey(), value) }
  public mutating func append(_ value: Double) { document.append(nextKey(), value) }
  public mutating func append(_ value: Bool) { document.append(nextKey(), value) }
  public mutating func append(_ value: ObjectID) { document.append(nextKey(), value) }
  public mutating func append(document value: BSONDocument) { document.append(nextKey(), document: value) }
  public mutating func append(array value: BSONArrayBuilder) { document.append(nextKey(), array: value) }
  public mutating func appendDate(milliseconds: Int64) { document.appendDate(nextKey(), milliseconds: milliseconds) }
  public mutating func appendUUID(_ bytes: [UInt8]) { document.appendUUID(nextKey(), bytes) }
  public mutating func appendNull() { document.appendNull(nextKey()) }

  /// Index keys have at most 15 digits and so live inside the `String` itself, without an allocation.
  private mutating func nextKey() -> String {
    defer { count += 1 }
    return String(count)
  }
}
