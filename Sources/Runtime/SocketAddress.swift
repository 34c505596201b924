import Foundation

/// Lends an IPv4 address in the form in which `bind` and `connect` take it.
///
/// - Parameters:
///   - host: in digits, as in 127.0.0.1.
///   - call: gets the address and its size.
public func withIPv4Address<Result>(
  _ host: String, port: Int, _ call: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
) rethrows -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = inet_addr(host)
  return try withUnsafePointer(to: &address) { pointer in
    try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      try call($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}
