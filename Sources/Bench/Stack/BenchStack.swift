import BSON
import Foundation
import Mongo

/// The stack that is measured: `devstack up` in a directory of its own, on empty servers.
struct BenchStack: Sendable {
  /// The caller's environment.
  let environment: [String: String]
  let console: Console
  let directory: URL
  /// Where `devstack` and the processes are: beside this executable.
  private let binaries: URL
  /// A database of the caller's server that this run has made up, and drops at its end.
  private let ownDatabase: String?

  /// Where the simulator writes its ledger.
  static let ledgerFile = "vendor-ledger.ndjson"

  init(environment: [String: String], console: Console) {
    self.environment = environment
    self.console = console
    let root = environment["STACK_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? ".stack"
    directory = URL(fileURLWithPath: root).standardizedFileURL.absoluteURL.appending(path: "bench")
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    binaries = URL(fileURLWithPath: own).deletingLastPathComponent()
    let ownsServer = (environment["MONGODB_URI"] ?? "").isEmpty
    ownDatabase = ownsServer ? nil : "mini_crm_bench_" + UUID().uuidString.prefix(8).lowercased()
  }

  /// Runs `body`, which starts the stack, and stops it however that ends; a signal cancels `body`.
  func stoppingAfterwards<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    do {
      let result = try await Interruption.cancelling(body)
      await stop()
      return result
    } catch {
      await stop()
      throw error
    }
  }

  /// Erases what an earlier run has left, and starts everything.
  ///
  /// - Throws: `BenchError` with devstack's last words. Call `stop` afterwards in any case.
  func start() async throws -> RunningStack {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let alive = MeasuredProcess.listed(in: directory.appending(path: "pids")).filter(\.isAlive)
    guard alive.isEmpty else {
      throw BenchError("a stack runs in \(directory.path): make down STACK_DIR=\(directory.path)")
    }
    for name in ["env", "logs", "mongo", "kafka", "broker.address", Self.ledgerFile] {
      let entry = directory.appending(path: name)
      if FileManager.default.fileExists(atPath: entry.path) { try FileManager.default.removeItem(at: entry) }
    }
    console.progress("starting a stack in \(directory.path)")
    let output = directory.appending(path: "devstack.log")
    let code = try await Command.run(
      binaries.appending(path: "devstack").path, ["up", "--detach"], environment: stackEnvironment, output: output)
    try Task.checkCancellation()
    let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
    guard code == 0 else { throw BenchError("devstack ended with \(code):\n\(text)") }
    for line in text.split(separator: "\n") where !line.isEmpty { console.progress("  \(line)") }
    return try RunningStack(
      env: directory.appending(path: "env"), processes: directory.appending(path: "pids"),
      logs: directory.appending(path: "logs"), announcement: text)
  }

  /// What the processes get: the simulator's own delays, no rate limit, fresh data.
  private var stackEnvironment: [String: String] {
    var environment = environment
    environment["STACK_DIR"] = directory.path
    environment["RATE_LIMIT_PER_MINUTE"] = "0"
    environment["AUTH_MODE"] = "off"
    environment["MONGODB_DB_NAME"] = ownDatabase
    // MongoDB's own default, half of the memory less a gigabyte; devstack's is what a laptop can spare.
    if (environment["MONGOD_CACHE_GB"] ?? "").isEmpty {
      let gigabytes = ProcessInfo.processInfo.physicalMemory >> 30
      environment["MONGOD_CACHE_GB"] = "\(max(1, (Int(gigabytes) - 1) / 2))"
    }
    for name in ["VENDOR_SIMULATOR_URL", "RECEIPT_URL", "LEDGER_PATH"] { environment[name] = nil }
    return environment
  }

  /// Stops what runs in the directory, by the ids that were noted, however this task fares.
  func stop() async {
    guard MeasuredProcess.listed(in: directory.appending(path: "pids")).contains(where: \.isAlive) else { return }
    console.progress("stopping the stack")
    let output = directory.appending(path: "down.log")
    let command = binaries.appending(path: "devstack").path
    let environment = stackEnvironment
    let code = await Task.detached {
      try? await Command.run(command, ["down"], environment: environment, output: output)
    }.value
    if code != 0 {
      console.progress("devstack down failed: \((try? String(contentsOf: output, encoding: .utf8)) ?? "")")
    }
  }

  func dropOwnDatabase(_ client: MongoClient) async {
    guard ownDatabase != nil else { return }
    do {
      try await client.withConnection { _ = try $0.command(["dropDatabase": 1]) }
    } catch {
      console.progress("the database \(client.configuration.database) could not be dropped: \(error)")
    }
  }
}
