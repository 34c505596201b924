/// How much of a CSV text is held at once, in bytes as they are sent unless said otherwise.
public struct CSVLimits: Sendable, Hashable {
  public var header = 64 << 10
  public var record = 256 << 10
  /// Of a field without its quotes. A longer one spoils its record only.
  public var field = 64 << 10
  /// Fields of a record, and columns of the header.
  public var fields = 1000

  public init() {}
}
