import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// MongoDB's 12-byte identifier: 4 bytes of seconds, 5 random bytes per process, a 3-byte counter, all big-endian.
///
/// The order is that of the bytes, hence roughly that of creation.
public struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Seconds and the first four random bytes.
  let high: UInt64
  /// The last random byte and the counter.
  let low: UInt32

  private static let process = UInt64.random(in: 0..<(1 << 40))
  private static let counter = Atomic<UInt32>(UInt32.random(in: 0..<(1 << 24)))

  init(high: UInt64, low: UInt32) {
    self.high = high
    self.low = low
  }

  /// A new identifier, unique across processes; safe to call from any thread.
  public init() {
    let seconds = UInt32(truncatingIfNeeded: time(nil))
    let count = Self.counter.wrappingAdd(1, ordering: .relaxed).oldValue & 0xFF_FFFF
    let process = Self.process
    high = UInt64(seconds) << 32 | process >> 8
    low = UInt32(truncatingIfNeeded: process & 0xFF) << 24 | count
  }

  /// The lowest identifier that can have been made at `seconds` since the epoch: a bound for ranges over time.
  public init(lowestAt seconds: UInt32) {
    high = UInt64(seconds) << 32
    low = 0
  }

  /// An identifier from its 12 bytes; nil for any other number of bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 12 else { return nil }
    var high: UInt64 = 0
    var low: UInt32 = 0
    for (index, byte) in bytes.enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt32(byte) }
    }
    self.init(high: high, low: low)
  }

  /// An identifier from 24 hexadecimal digits of either case; nil for anything else.
  public init?(hex: String) {
    guard hex.utf8.count == 24 else { return nil }
    var high: UInt64 = 0
    var low: UInt32 = 0
    for (index, character) in hex.utf8.enumerated() {
      guard let digit = Hex.digit(character) else { return nil }
      if index < 16 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt32(digit) }
    }
    self.init(high: high, low: low)
  }

  /// 24 lowercase hexadecimal digits.
  public var hex: String {
    String(unsafeUninitializedCapacity: 24) { buffer in
      for index in 0..<16 { buffer[index] = Hex.digits[Int(truncatingIfNeeded: high >> UInt64(60 - 4 * index)) & 15] }
      for index in 0..<8 {
        buffer[16 + index] = Hex.digits[Int(truncatingIfNeeded: low >> UInt32(28 - 4 * index)) & 15]
      }
      return 24
    }
  }

  /// The 12 bytes in their order.
  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 12) { buffer, count in
      store(to: UnsafeMutableRawPointer(buffer.baseAddress!))
      count = 12
    }
  }

  /// When the identifier was made, in seconds since the epoch.
  public var seconds: UInt32 { UInt32(truncatingIfNeeded: high >> 32) }

  public var description: String { hex }

  public static func < (left: ObjectID, right: ObjectID) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }

  /// Writes the 12 bytes at `pointer`, which must have room for them.
  func store(to pointer: UnsafeMutableRawPointer) {
    pointer.storeBytes(of: high.bigEndian, as: UInt64.self)
    (pointer + 8).storeBytes(of: low.bigEndian, as: UInt32.self)
  }

  /// Reads 12 bytes at `pointer`.
  init(loadingFrom pointer: UnsafeRawPointer) {
    high = UInt64(bigEndian: pointer.loadUnaligned(as: UInt64.self))
    low = UInt32(bigEndian: (pointer + 8).loadUnaligned(as: UInt32.self))
  }
}

enum Hex {
  static let digits: [UInt8] = Array("0123456789abcdef".utf8)

  /// The value of a hexadecimal digit of either case.
  static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x61...0x66: character - 0x61 + 10
    case 0x41...0x46: character - 0x41 + 10
    default: nil
    }
  }

  static func string(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
