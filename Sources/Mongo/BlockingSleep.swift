import Foundation

enum BlockingSleep {
  /// Blocks the calling thread, which must be one of the client's own.
  static func sleep(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    Thread.sleep(forTimeInterval: Double(seconds) + Double(attoseconds) / 1e18)
  }
}
