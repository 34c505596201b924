import Glibc
import Synchronization

/// A TCP connection, from its acceptance to just before libmicrohttpd closes its socket.
final class Connection: Sendable {
  private struct State {
    var isOpen = true
    var idleSince: ContinuousClock.Instant
    var isFresh = true
    var exchange: Exchange?
    /// The bytes of the requests that have ended.
    var consumed: UInt64 = 0
    /// When bytes of the next request were first seen.
    var requestBegan: ContinuousClock.Instant?
    /// When the kernel was asked for them last.
    var asked: ContinuousClock.Instant
  }

  /// Where Linux's `tcp_info` has `tcpi_bytes_received`; the one that glibc declares ends before it.
  private static let bytesReceivedOffset = 128

  let address: String
  let descriptor: Int32
  /// The worker that serves it.
  let worker: ServerWorker
  private let state: Mutex<State>

  init(descriptor: Int32, address: String, worker: ServerWorker, now: ContinuousClock.Instant) {
    self.descriptor = descriptor
    self.address = address
    self.worker = worker
    state = Mutex(State(idleSince: now, asked: now))
  }

  var exchange: Exchange? { state.withLock { $0.exchange } }

  /// When the request began whose line is being read, if that has been seen.
  var requestBegan: ContinuousClock.Instant? { state.withLock { $0.requestBegan } }

  func begin(_ exchange: Exchange) {
    state.withLock { state in
      state.exchange = exchange
      state.isFresh = false
      state.requestBegan = nil
    }
  }

  /// - Parameter consumed: the bytes of its request.
  func exchangeEnded(consumed: Int, now: ContinuousClock.Instant) {
    state.withLock { state in
      state.exchange = nil
      state.idleSince = now
      state.consumed += UInt64(consumed)
    }
  }

  /// The phase the connection is in, its request's if there is one.
  ///
  /// Here it is seen that a request has begun: libmicrohttpd says nothing before its line is complete, but the kernel
  /// counts what has come. It is asked now and then: thousands of idle connections must cost the others nothing.
  func phase(at now: ContinuousClock.Instant, asking interval: Duration) -> ExchangePhase {
    let (exchange, waiting) = state.withLock { state -> (Exchange?, ExchangePhase) in
      if state.isOpen, state.exchange == nil, state.requestBegan == nil,
        max(state.asked, state.idleSince).duration(to: now) >= interval
      {
        state.asked = now
        if bytesReceived > state.consumed { state.requestBegan = now }
      }
      if let began = state.requestBegan { return (state.exchange, .requestLine(since: began)) }
      return (state.exchange, .idle(since: state.idleSince, fresh: state.isFresh))
    }
    return exchange?.phase ?? waiting
  }

  /// How many bytes have come since the connection was opened; 0 where the kernel does not tell. Only while it is open.
  private var bytesReceived: UInt64 {
    let size = Self.bytesReceivedOffset + MemoryLayout<UInt64>.size
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: MemoryLayout<UInt64>.alignment) { info -> UInt64 in
      var length = socklen_t(size)
      guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, info.baseAddress, &length) == 0, Int(length) == size
      else { return 0 }
      return info.load(fromByteOffset: Self.bytesReceivedOffset, as: UInt64.self)
    }
  }

  /// libmicrohttpd is about to close the socket: from now on its number may belong to another.
  func markClosed() { state.withLock { $0.isOpen = false } }

  /// Ends the connection in both directions; libmicrohttpd notices and closes it. Safe at any time: the lock keeps
  /// `markClosed`, and with it the close, from happening in between.
  func shutDown() {
    state.withLock { state in
      if state.isOpen { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Ends the connection if no request has begun on it. Only the receiving direction: a request that has arrived and
  /// has not been looked at is still answered.
  func endIfIdle() {
    state.withLock { state in
      if state.isOpen, state.exchange == nil { _ = Glibc.shutdown(descriptor, Int32(SHUT_RD)) }
    }
  }

  /// Whether the client has ended its direction and everything from it has been read.
  var hasNothingToRead: Bool {
    state.withLock { state in
      var byte: UInt8 = 0
      return state.isOpen && recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0
    }
  }

  /// Writes a complete response past libmicrohttpd and ends the sending direction.
  ///
  /// Only for answers given before the body has ended, when libmicrohttpd cannot answer and writes nothing itself. The
  /// send buffer is empty then, so that a response of usual size fits; of a larger one the client gets a part.
  func sendEarly(_ bytes: [UInt8]) {
    state.withLock { state in
      guard state.isOpen else { return }
      bytes.withUnsafeBytes { _ = Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      _ = Glibc.shutdown(descriptor, Int32(SHUT_WR))
    }
  }
}

/// The connections that are open, and how many of them come from each address.
final class ConnectionTable: Sendable {
  private struct State {
    var connections: [Int32: Connection] = [:]
    var perAddress: [String: Int] = [:]
  }

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.connections.count } }

  var all: [Connection] { state.withLock { Array($0.connections.values) } }

  /// Adds a connection unless its address has too many.
  func insert(_ connection: Connection, perAddressLimit: Int) -> Bool {
    state.withLock { state in
      // An entry that is still there for this socket belongs to one that libmicrohttpd closed without a word.
      Self.remove(connection.descriptor, from: &state)
      if state.perAddress[connection.address, default: 0] >= perAddressLimit { return false }
      state.perAddress[connection.address, default: 0] += 1
      state.connections[connection.descriptor] = connection
      return true
    }
  }

  func connection(_ descriptor: Int32) -> Connection? { state.withLock { $0.connections[descriptor] } }

  /// Returns how many are left. Removes nothing when the connection's socket already belongs to another.
  func remove(_ connection: Connection) -> Int {
    state.withLock { state in
      if state.connections[connection.descriptor] === connection { Self.remove(connection.descriptor, from: &state) }
      return state.connections.count
    }
  }

  /// Forgets connections of which libmicrohttpd has not said that it closed them: such as it had not looked at yet.
  func removeAll() {
    state.withLock { $0 = State() }
  }

  private static func remove(_ descriptor: Int32, from state: inout State) {
    guard let connection = state.connections.removeValue(forKey: descriptor) else { return }
    let left = state.perAddress[connection.address, default: 1] - 1
    state.perAddress[connection.address] = left > 0 ? left : nil
  }
}
