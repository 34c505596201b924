import Glibc

/// Wakes a thread that waits in `poll`: a pipe whose reading end it watches.
struct WakeUp: Sendable {
  let descriptor: Int32
  private let writingEnd: Int32

  /// `nil` when the process has no file descriptor left.
  init?() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    descriptor = ends[0]
    writingEnd = ends[1]
  }

  /// A full pipe is as good as another byte: the thread wakes either way.
  func signal() {
    var byte: UInt8 = 0
    _ = write(writingEnd, &byte, 1)
  }

  func clear() {
    var bytes = [UInt8](repeating: 0, count: 256)
    while read(descriptor, &bytes, bytes.count) == bytes.count {}
  }

  func destroy() {
    close(descriptor)
    close(writingEnd)
  }
}
