/// The id that the vendor gives to a message: `sim_` and two hexadecimal numbers, the ledger's and the message's.
///
/// The second is the sequence number of the ledger line, so that an id leads to its line without an index. The first is
/// drawn at random with each new ledger: an id from before a reset is unknown afterwards, and never another message.
struct VendorMessageID: Hashable, Sendable, CustomStringConvertible {
  let ledger: UInt32
  let seq: UInt32

  private static let prefix = Array("sim_".utf8)

  init(ledger: UInt32, seq: UInt32) {
    self.ledger = ledger
    self.seq = seq
  }

  /// Reads what `description` writes; nil for anything else.
  init?(_ text: some Collection<UInt8>) {
    guard text.count == 21, text.starts(with: VendorMessageID.prefix) else { return nil }
    let numbers = text.dropFirst(4).split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
    guard numbers.count == 2, numbers.allSatisfy({ $0.count == 8 }),
      let ledger = VendorMessageID.number(numbers[0]), let seq = VendorMessageID.number(numbers[1])
    else { return nil }
    self.init(ledger: ledger, seq: seq)
  }

  var description: String { String(decoding: utf8, as: UTF8.self) }

  var utf8: [UInt8] {
    var text = VendorMessageID.prefix
    text.reserveCapacity(21)
    VendorMessageID.append(ledger, to: &text)
    text.append(UInt8(ascii: "_"))
    VendorMessageID.append(seq, to: &text)
    return text
  }

  private static func append(_ number: UInt32, to text: inout [UInt8]) {
    for shift in stride(from: UInt32(28), through: 0, by: -4) {
      let digit = UInt8(truncatingIfNeeded: number >> shift & 15)
      text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }

  private static func number(_ digits: some Collection<UInt8>) -> UInt32? {
    var number: UInt32 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt32(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return number
  }
}
