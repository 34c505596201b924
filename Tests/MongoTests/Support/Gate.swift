import Foundation

/// Holds a blocking job until the test lets it go.
final class Gate: Sendable {
  private let inside = DispatchSemaphore(value: 0)
  private let opened = DispatchSemaphore(value: 0)

  /// Blocks the calling thread, 30 s at most.
  func enterAndWait() {
    inside.signal()
    _ = opened.wait(timeout: .now() + 30)
  }

  func open() { opened.signal() }

  /// Returns once a job is inside.
  func entered() async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        self.inside.wait()
        continuation.resume()
      }
    }
  }
}
