import Runtime
import Synchronization

/// The bytes of a streamed request body between libmicrohttpd's thread and the handler.
///
/// One task reads. When more than `highWater` bytes wait, the connection is suspended until the reader has taken them.
final class BodyStream: Sendable {
  private struct State {
    var chunks = Deque<[UInt8]>()
    var buffered = 0
    var end: Result<Void, HTTPBodyError>?
    var reader: CheckedContinuation<Result<[UInt8]?, HTTPBodyError>, Never>?
  }

  private static let highWater = 256 << 10

  private let state = Mutex(State())
  private let limit: Int?
  private let received = Mutex(0)
  /// Called when the reader has taken what was buffered; resumes a suspended connection.
  private let onDrained: @Sendable () -> Void

  init(limit: Int?, onDrained: @escaping @Sendable () -> Void) {
    self.limit = limit
    self.onDrained = onDrained
  }

  /// Whether the connection should be suspended.
  var isFull: Bool {
    state.withLock { $0.buffered >= Self.highWater && $0.end == nil }
  }

  /// Adds bytes that have arrived.
  func push(_ chunk: [UInt8]) {
    if let limit,
      received.withLock({
        $0 += chunk.count
        return $0 > limit
      })
    {
      end(.failure(.tooLarge(limit: limit)))
      return
    }
    let reader = state.withLock { state -> CheckedContinuation<Result<[UInt8]?, HTTPBodyError>, Never>? in
      guard state.end == nil else { return nil }
      if let reader = state.reader {
        state.reader = nil
        return reader
      }
      state.chunks.append(chunk)
      state.buffered += chunk.count
      return nil
    }
    reader?.resume(returning: .success(chunk))
  }

  /// Ends the body; what is buffered can still be read unless it failed.
  func end(_ result: Result<Void, HTTPBodyError>) {
    let reader = state.withLock { state -> CheckedContinuation<Result<[UInt8]?, HTTPBodyError>, Never>? in
      guard state.end == nil else { return nil }
      state.end = result
      if case .failure = result {
        _ = state.chunks.removeAll()
        state.buffered = 0
      }
      defer { state.reader = nil }
      return state.reader
    }
    reader?.resume(returning: result.map { nil })
  }

  /// The next bytes, `nil` at the end. Returns also when the connection ends, which every deadline of the server does.
  func next() async throws(HTTPBodyError) -> [UInt8]? {
    let result = await withCheckedContinuation { continuation in
      let (ready, drained) = state.withLock { state -> (Result<[UInt8]?, HTTPBodyError>?, Bool) in
        if let chunk = state.chunks.popFirst() {
          state.buffered -= chunk.count
          return (.success(chunk), state.chunks.isEmpty)
        }
        if let end = state.end { return (end.map { nil }, false) }
        if state.reader != nil { return (.failure(.alreadyRead), false) }
        state.reader = continuation
        return (nil, true)
      }
      if drained { onDrained() }
      if let ready { continuation.resume(returning: ready) }
    }
    return try result.get()
  }
}
