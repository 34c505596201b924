import Foundation

/// Everything a stack writes, under one directory (`.stack`).
struct StackDirectory: Sendable {
  let root: URL

  init(path: String) { root = URL(fileURLWithPath: path).standardizedFileURL.absoluteURL }

  var pids: URL { root.appending(path: "pids") }
  var env: URL { root.appending(path: "env") }
  var logs: URL { root.appending(path: "logs") }
  var mongo: URL { root.appending(path: "mongo") }
  var kafka: URL { root.appending(path: "kafka") }
  /// Where the embedded broker's child process tells its address.
  var brokerAddress: URL { root.appending(path: "broker.address") }
  var ledger: URL { root.appending(path: "vendor-ledger.ndjson") }

  var table: ProcessTable { ProcessTable(file: pids) }

  func log(_ name: String) -> URL { logs.appending(path: "\(name).log") }

  /// Makes the directories; logs of an earlier stack are kept as `.1`.
  func prepare() throws {
    let files = FileManager.default
    try files.createDirectory(at: logs, withIntermediateDirectories: true)
    for log in try files.contentsOfDirectory(at: logs, includingPropertiesForKeys: nil)
    where log.pathExtension == "log" {
      let old = log.appendingPathExtension("1")
      try? files.removeItem(at: old)
      try files.moveItem(at: log, to: old)
    }
    try? files.removeItem(at: brokerAddress)
  }

  /// Removes the data and logs of earlier stacks; the process table, and whatever else lies here, stays.
  func erase() throws {
    // The vendor's memory of receipts that are due would bring back the messages of a run that was broken off.
    let ledgers = ["", ".journal", ".lock"].map { URL(fileURLWithPath: ledger.path + $0) }
    for entry in [env, logs, mongo, kafka, brokerAddress] + ledgers
    where FileManager.default.fileExists(atPath: entry.path) {
      try FileManager.default.removeItem(at: entry)
    }
  }

  /// The last lines of a process's log, for an error message.
  func tail(_ name: String, lines: Int = 8) -> String {
    guard let text = try? String(contentsOf: log(name), encoding: .utf8), !text.isEmpty else {
      return "(its log is empty)"
    }
    return text.split(separator: "\n").suffix(lines).map { "  \($0.prefix(400))" }.joined(separator: "\n")
  }

  /// Writes the shell lines that clients source.
  func writeEnv(_ values: [(key: String, value: String)]) throws {
    let lines = values.map { "export \($0.key)='\($0.value.replacing("'", with: "'\\''"))'\n" }
    try lines.joined().write(to: env, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: env.path)
  }
}
