import Glibc

/// A listening TCP socket.
struct ListeningSocket {
  let descriptor: Int32
  let port: Int

  /// Binds with SO_REUSEADDR, so that a restart need not wait for old connections to be forgotten.
  init(host: String, port: Int, backlog: Int32 = 1024) throws(HTTPServerError) {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    guard (0...65_535).contains(port) else {
      throw .cannotListen(host: host, port: port, reason: "a port is a number from 0 to 65535")
    }
    let lookup = getaddrinfo(host, String(port), &hints, &list)
    guard lookup == 0, let info = list?.pointee else {
      throw .cannotListen(host: host, port: port, reason: String(cString: gai_strerror(lookup)))
    }
    defer { freeaddrinfo(list) }
    let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(info.ai_family, flags, 0)
    guard descriptor >= 0 else { throw .cannotListen(host: host, port: port, reason: Self.reason(errno)) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, backlog) == 0 else {
      let code = errno
      close(descriptor)
      if code == EADDRINUSE { throw .portTaken(port) }
      throw .cannotListen(host: host, port: port, reason: Self.reason(code))
    }
    self.descriptor = descriptor
    self.port = Self.boundPort(descriptor) ?? port
  }

  /// Takes one waiting connection; `nil` when there is none, or with `isExhausted` when file descriptors have run out.
  func accept(isExhausted: inout Bool) -> (descriptor: Int32, address: sockaddr_storage, length: socklen_t)? {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let accepted = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        // libmicrohttpd makes it non-blocking and close-on-exec.
        Glibc.accept(descriptor, $0, &length)
      }
    }
    guard accepted >= 0 else {
      isExhausted = [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno)
      return nil
    }
    return (accepted, address, length)
  }

  /// The numeric form of an address, without its port; IPv4 in IPv6's clothes as IPv4.
  static func text(_ address: sockaddr_storage, _ length: socklen_t) -> String {
    var address = address
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getnameinfo($0, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
      }
    }
    guard result == 0 else { return "unknown" }
    let text = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.hasPrefix("::ffff:") ? String(text.dropFirst(7)) : text
  }

  private static func boundPort(_ descriptor: Int32) -> Int? {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) { pointer -> Int? in
      let result = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      guard result == 0 else { return nil }
      switch Int32(pointer.pointee.ss_family) {
      case AF_INET:
        return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          Int(UInt16(bigEndian: $0.pointee.sin_port))
        }
      case AF_INET6:
        return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          Int(UInt16(bigEndian: $0.pointee.sin6_port))
        }
      default: return nil
      }
    }
  }

  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
