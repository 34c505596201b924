import CMicroHTTPD
import Synchronization

/// The bytes of a streamed response between its producer and libmicrohttpd's thread.
///
/// A task asks the producer for chunks while fewer than `highWater` bytes wait. When none wait, the connection is
/// suspended until there are some.
// @unchecked: `connection` is a C pointer; it is used only while the response it belongs to is being sent.
final class ResponseStream: @unchecked Sendable {
  private struct State {
    var chunk: [UInt8] = []
    var offset = 0
    var next: [UInt8]?
    var ending: Ending?
    var isSuspended = false
    var isClosed = false
    var waitingProducer: CheckedContinuation<Bool, Never>?
    var task: Task<Void, Never>?
  }

  private enum Ending { case complete, failed }

  private let state = Mutex(State())
  private let connection: OpaquePointer
  private let worker: ServerWorker
  /// Whether the body ends only when somebody ends it.
  let isEndless: Bool
  private let onProgress: @Sendable (_ producerIsLate: Bool) -> Void

  init(
    connection: OpaquePointer, worker: ServerWorker, isEndless: Bool,
    onProgress: @escaping @Sendable (_ producerIsLate: Bool) -> Void
  ) {
    self.connection = connection
    self.worker = worker
    self.isEndless = isEndless
    self.onProgress = onProgress
  }

  func start(_ producer: @escaping HTTPResponse.Producer) {
    let task = Task { [self] in
      do {
        while let chunk = try await producer() {
          if chunk.isEmpty { continue }
          guard await push(chunk) else { return }
        }
        end(.complete)
      } catch {
        end(.failed)
      }
    }
    let isClosed = state.withLock { state in
      state.task = task
      return state.isClosed
    }
    if isClosed { task.cancel() }
  }

  /// Hands over a chunk and waits until there is room for another. Returns `false` when nobody wants more.
  private func push(_ chunk: [UInt8]) async -> Bool {
    await withCheckedContinuation { continuation in
      let (answer, resume) = state.withLock { state -> (Bool?, Bool) in
        if state.isClosed || state.ending != nil { return (false, false) }
        defer { state.isSuspended = false }
        if state.offset == state.chunk.count {
          state.chunk = chunk
          state.offset = 0
          return (true, state.isSuspended)
        }
        state.next = chunk
        state.waitingProducer = continuation
        return (nil, state.isSuspended)
      }
      if resume { worker.resume(connection) }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  private func end(_ ending: Ending) {
    let (resume, waiting, task) = state.withLock { state in
      if state.ending == nil { state.ending = ending }
      if ending == .failed { state.next = nil }
      defer {
        state.isSuspended = false
        if ending == .failed { state.waitingProducer = nil }
      }
      return (state.isSuspended, ending == .failed ? state.waitingProducer : nil, state.task)
    }
    waiting?.resume(returning: false)
    if ending == .failed { task?.cancel() }
    if resume { worker.resume(connection) }
  }

  /// Ends the body where it is, as if the producer had: for endless streams when the server stops.
  func finish() { end(.complete) }

  /// Breaks the connection off; the producer's task is cancelled.
  func abort() { end(.failed) }

  /// libmicrohttpd no longer needs the stream; the producer's task is cancelled.
  func close() {
    let (waiting, task) = state.withLock { state in
      state.isClosed = true
      defer { state.waitingProducer = nil }
      return (state.waitingProducer, state.task)
    }
    waiting?.resume(returning: false)
    task?.cancel()
  }

  /// libmicrohttpd asks for up to `room` bytes, on its own thread. A result of 0 means that it is suspended now.
  func read(into destination: UnsafeMutablePointer<CChar>, room: Int) -> Int {
    worker.noteProgress()
    let (count, waiting) = state.withLock { state -> (Int, CheckedContinuation<Bool, Never>?) in
      var waiting: CheckedContinuation<Bool, Never>?
      if state.offset == state.chunk.count, let next = state.next {
        state.chunk = next
        state.offset = 0
        state.next = nil
        waiting = state.waitingProducer
        state.waitingProducer = nil
      }
      let available = state.chunk.count - state.offset
      if state.ending == .failed { return (Self.failed, waiting) }
      if available > 0 {
        let count = min(room, available)
        state.chunk.withUnsafeBytes { bytes in
          UnsafeMutableRawPointer(destination).copyMemory(from: bytes.baseAddress! + state.offset, byteCount: count)
        }
        state.offset += count
        return (count, waiting)
      }
      if state.ending == .complete { return (Self.ended, waiting) }
      // Under the lock: else the producer could resume the connection before it is suspended.
      MHD_suspend_connection(connection)
      state.isSuspended = true
      return (0, waiting)
    }
    waiting?.resume(returning: true)
    onProgress(count == 0)
    return count
  }

  /// MHD_CONTENT_READER_END_OF_STREAM and MHD_CONTENT_READER_END_WITH_ERROR.
  private static let ended = -1
  private static let failed = -2
}
