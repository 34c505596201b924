/// The identity of a trace as the `traceparent` header carries it (W3C Trace Context, level 1, section 3.2).
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
  public let traceHigh: UInt64
  public let traceLow: UInt64
  public let span: UInt64
  public let flags: UInt8

  /// A new trace, sampled.
  public init() {
    self.init(
      traceHigh: UInt64.random(in: 0...UInt64.max), traceLow: UInt64.random(in: 1...UInt64.max),
      span: UInt64.random(in: 1...UInt64.max), flags: 1)
  }

  private init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
    self.traceHigh = traceHigh
    self.traceLow = traceLow
    self.span = span
    self.flags = flags
  }

  /// Reads a header value; nil where the specification says to start a new trace instead (wrong length, upper case,
  /// version `ff`, all-zero ids).
  public init?(traceparent text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 55, bytes[2] == 0x2D, bytes[35] == 0x2D, bytes[52] == 0x2D,
      let version = TraceContext.hexadecimal(bytes[0..<2]), version != 0xFF,
      version != 0 || bytes.count == 55, bytes.count == 55 || bytes[55] == 0x2D,
      let high = TraceContext.hexadecimal(bytes[3..<19]), let low = TraceContext.hexadecimal(bytes[19..<35]),
      let span = TraceContext.hexadecimal(bytes[36..<52]), let flags = TraceContext.hexadecimal(bytes[53..<55]),
      high | low != 0, span != 0
    else { return nil }
    self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(flags))
  }

  /// The same trace with a new span, for a step that this one causes.
  public func child() -> TraceContext {
    TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: UInt64.random(in: 1...UInt64.max), flags: flags)
  }

  /// 32 lower-case hexadecimal digits.
  public var traceID: String {
    var bytes: [UInt8] = []
    TraceContext.append(traceHigh, digits: 16, to: &bytes)
    TraceContext.append(traceLow, digits: 16, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The header value: `00-<trace>-<span>-<flags>`.
  public var description: String { String(decoding: headerBytes, as: UTF8.self) }

  /// The header value's 55 bytes.
  public var headerBytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(55)
    bytes.append(contentsOf: [0x30, 0x30, 0x2D])
    TraceContext.append(traceHigh, digits: 16, to: &bytes)
    TraceContext.append(traceLow, digits: 16, to: &bytes)
    bytes.append(0x2D)
    TraceContext.append(span, digits: 16, to: &bytes)
    bytes.append(0x2D)
    TraceContext.append(UInt64(flags), digits: 2, to: &bytes)
    return bytes
  }

  private static func append(_ value: UInt64, digits: Int, to bytes: inout [UInt8]) {
    for position in stride(from: (digits - 1) * 4, through: 0, by: -4) {
      let nibble = UInt8((value >> UInt64(position)) & 0xF)
      bytes.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
    }
  }

  private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for byte in bytes {
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
      case 0x61...0x66: value = value << 4 | UInt64(byte - 0x57)
      default: return nil
      }
    }
    return value
  }
}
