import Foundation

/// Results go to standard output, progress to standard error.
struct Console: Sendable {
  func line(_ text: String = "") { try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) }

  func progress(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }
}
