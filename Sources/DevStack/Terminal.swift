import Foundation

/// The person's side: lines on standard output, and a block that is redrawn in place where that is a terminal.
struct Terminal: Sendable {
  let isInteractive = isatty(STDOUT_FILENO) == 1

  func line(_ text: String = "") { write(text + "\n") }

  /// Whole, at once: lines of a pipe's reader appear when they are written.
  func write(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }

  func complain(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data("devstack: \(text)\n".utf8))
  }

  var columns: Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
