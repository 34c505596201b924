import BSON
import Foundation
import Mongo
import Runtime
import Synchronization

/// A mongod of our own: a one-member replica set on a free port with a temporary directory.
///
/// A shell stands between us and mongod. It reads our pipe, and when that ends, because this process has ended in whatever
/// way, it kills mongod and removes the directory.
final class MongodProcess: Sendable {
  struct StartError: Error, CustomStringConvertible {
    let description: String
  }

  private struct Running {
    let shell: Process
    let lifeline: Pipe
    let pid: Int32
  }

  let port: Int
  private let binary: String
  private let directory: URL
  private let running = Mutex<Running?>(nil)

  static let replicaSet = "rs0"

  var uri: String { "mongodb://127.0.0.1:\(port)/?replicaSet=\(Self.replicaSet)" }

  private init(binary: String, port: Int, directory: URL) {
    self.binary = binary
    self.port = port
    self.directory = directory
  }

  /// From `MINICRM_MONGOD`, else `.cache/mongod/mongod` in the repository.
  static func binary() throws -> String {
    if let path = ProcessInfo.processInfo.environment["MINICRM_MONGOD"], !path.isEmpty { return path }
    var root = URL(fileURLWithPath: #filePath)
    while root.path != "/" {
      root.deleteLastPathComponent()
      let path = root.appending(path: ".cache/mongod/mongod").path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    throw StartError(description: "no mongod: run scripts/mongod.sh, or set MINICRM_MONGOD or MONGODB_URI")
  }

  /// Starts mongod and waits until it is the primary of its replica set.
  static func start() async throws -> MongodProcess {
    let directory = FileManager.default.temporaryDirectory.appending(path: "minicrm-mongod-\(ObjectID().hex)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let mongod = MongodProcess(binary: try binary(), port: try FreePort.find(), directory: directory)
    try mongod.launch()
    try await mongod.initiate()
    return mongod
  }

  /// Starts mongod again on its old data, after `kill`.
  func launch() throws {
    let script = """
      trap '' INT TERM HUP
      "$0" "$@" >/dev/null 2>&1 </dev/null &
      echo $!
      cat >/dev/null
      kill -9 $!
      wait
      [ -e "$DIRECTORY.keep" ] || rm -rf "$DIRECTORY"
      """
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments =
      ["-c", script, binary, "--replSet", Self.replicaSet, "--dbpath", directory.path, "--bind_ip", "127.0.0.1"]
      + ["--port", "\(port)", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "200"]
      + ["--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "enableTestCommands=1"]
    shell.environment = ["DIRECTORY": directory.path, "PATH": "/usr/bin:/bin"]
    let lifeline = Pipe()
    let output = Pipe()
    shell.standardInput = lifeline
    shell.standardOutput = output
    try shell.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let pid = Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw StartError(description: "the shell did not say mongod's process id: \(line)")
    }
    running.withLock { $0 = Running(shell: shell, lifeline: lifeline, pid: pid) }
    try? FileManager.default.removeItem(at: keepMarker)
  }

  /// Tells the shell to leave the data when it ends mongod.
  private var keepMarker: URL { URL(fileURLWithPath: directory.path + ".keep") }

  /// Freezes mongod: connections stay open and nothing answers. Returns once the last of its threads has stopped.
  func suspend() async throws {
    signal(SIGSTOP)
    try await Poll.until("the freeze") { isStopped }
  }

  /// The state is the field after the parenthesised name.
  private var isStopped: Bool {
    let pid = running.withLock { $0?.pid } ?? 0
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return threads.allSatisfy { thread in
      let stat = (try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/stat", encoding: .utf8)) ?? ""
      return stat.split(separator: ")").last?.hasPrefix(" T") == true
    }
  }

  func resume() { signal(SIGCONT) }

  /// Ends mongod as a power failure would, and waits for its end. Its data stays.
  func kill() async throws {
    try Data().write(to: keepMarker)
    try await end()
  }

  /// Ends mongod and removes its data.
  func destroy() async throws {
    try? FileManager.default.removeItem(at: keepMarker)
    try await end()
  }

  private func end() async throws {
    let ended = running.withLock { running in
      defer { running = nil }
      return running
    }
    guard let ended else { return }
    // The shell sees the end of its input and kills mongod.
    try ended.lifeline.fileHandleForWriting.close()
    try await Poll.until("the shell's end") { !ended.shell.isRunning }
  }

  private func signal(_ number: Int32) {
    running.withLock { running in
      if let running { Foundation.kill(running.pid, number) }
    }
  }

  private func initiate() async throws {
    var configuration = MongoClient.Configuration(
      uri: "mongodb://127.0.0.1:\(port)/?directConnection=true", database: "admin")
    configuration.poolSize = 1
    configuration.serverSelectionTimeoutMS = 500
    let client = try MongoClient(configuration)
    let config: BSONDocument = [
      "_id": .string(Self.replicaSet), "members": [["_id": 0, "host": .string("127.0.0.1:\(port)")]],
    ]
    do {
      try await Poll.until("mongod's first answer") { (try? await client.ping(timeoutMS: 500)) != nil }
      try await client.withConnection { _ = try $0.command(["replSetInitiate": .document(config)]) }
      try await Poll.until("a primary") {
        try await client.withConnection { try $0.command(["hello": 1])["isWritablePrimary"] == true }
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}

enum FreePort {
  /// A port that nothing listens on at this moment.
  static func find() throws -> Int {
    guard let port = TCPPorts.anyFree() else { throw MongodProcess.StartError(description: "no free port") }
    return port
  }
}

enum Poll {
  struct TimedOut: Error, CustomStringConvertible {
    let description: String
  }

  /// Waits until `condition` holds, at most `limit`.
  static func until(
    _ what: String, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool
  ) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
      guard ContinuousClock.now < end else { throw TimedOut(description: "\(what) did not come within \(limit)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
