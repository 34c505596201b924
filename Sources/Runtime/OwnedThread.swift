import Foundation
import Synchronization

/// A named operating-system thread that runs one closure from start to end.
///
/// C libraries that must be driven by one thread (a Kafka consumer, a curl multi handle) get one of these, and blocking
/// work never runs on Swift's cooperative pool.
public final class OwnedThread: Sendable {
  private let finished = DispatchSemaphore(value: 0)

  private init() {}

  /// Starts a thread that runs `body` and ends with it.
  ///
  /// - Parameter name: shown by `top -H` and debuggers; Linux keeps the first 15 bytes.
  public static func start(name: String, _ body: @escaping @Sendable () -> Void) -> OwnedThread {
    let owned = OwnedThread()
    let thread = Thread {
      // From inside: Foundation on Linux does not pass on a name that is given before the start.
      Thread.current.name = name
      body()
      owned.finished.signal()
    }
    // Handlers of requests run on such threads too; memory is taken as the stack grows.
    thread.stackSize = 4 << 20
    thread.start()
    return owned
  }

  /// Blocks until the body has returned. Must not be called from the cooperative pool nor from the thread itself.
  public func join() {
    finished.wait()
    finished.signal()
  }

  /// Waits without blocking a cooperative thread until the body has returned.
  public func joined() async {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      _ = OwnedThread.start(name: "join") {
        self.join()
        continuation.resume()
      }
    }
  }
}
