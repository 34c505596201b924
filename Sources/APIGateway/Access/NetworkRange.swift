import Foundation

/// An IP address as its bytes; IPv4 in IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
struct NetworkAddress: Sendable, Hashable {
  let bytes: [UInt8]

  /// Numeric addresses only.
  init?(_ text: String) {
    var four = in_addr()
    var six = in6_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = withUnsafeBytes(of: &four) { Array($0) }
    } else if inet_pton(AF_INET6, text, &six) == 1 {
      let all = withUnsafeBytes(of: &six) { Array($0) }
      let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
      bytes = all.starts(with: mapped) ? Array(all[12...]) : all
    } else {
      return nil
    }
  }

  var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1] }

  /// Who this is for limits: an IPv4 address, or the /64 of IPv6, which is what one customer gets.
  var network: String { bytes.prefix(bytes.count == 4 ? 4 : 8).map(String.init).joined(separator: ".") }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
struct NetworkRange: Sendable {
  private let address: NetworkAddress
  private let bits: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = NetworkAddress(String(parts[0])) else { return nil }
    let width = address.bytes.count * 8
    guard let bits = parts.count == 1 ? width : Int(parts[1]), (0...width).contains(bits) else { return nil }
    self.address = address
    self.bits = bits
  }

  func contains(_ other: NetworkAddress) -> Bool {
    guard other.bytes.count == address.bytes.count else { return false }
    for (index, (left, right)) in zip(address.bytes, other.bytes).enumerated() {
      let rest = bits - 8 * index
      if rest <= 0 { return true }
      let mask: UInt8 = rest >= 8 ? 0xFF : ~(0xFF >> UInt8(rest))
      if left & mask != right & mask { return false }
    }
    return true
  }
}
