import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import Testing

/// The built processes with a MongoDB and a broker of their own, as `devstack up` starts them; gone with the test process.
final class TestStack: Sendable {
  enum Broker: String, CaseIterable, Sendable {
    case embedded, apacheKafka

    /// Apache Kafka is there when `KAFKA_HOME` says where.
    static var available: [Broker] {
      ProcessInfo.processInfo.environment["KAFKA_HOME"] == nil ? [.embedded] : [.embedded, .apacheKafka]
    }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// What `devstack` tells its clients: `BASE_URL`, `VENDOR_URL`, `KAFKA_BROKERS`, …
  let settings: [String: String]
  let client: HTTPClient
  /// What the gateway says of itself; every answer to `request` is held against it.
  let api: APIDescription
  private let directory: URL
  private let process: Process
  /// What was started ends when these ends of its standard input close, however the test process ends.
  private let lifelines: Mutex<[Pipe]>

  private init(
    settings: [String: String], client: HTTPClient, api: APIDescription, directory: URL, process: Process,
    lifeline: Pipe
  ) {
    self.settings = settings
    self.client = client
    self.api = api
    self.directory = directory
    self.process = process
    lifelines = Mutex([lifeline])
  }

  /// Starts a stack and waits until every process is ready.
  static func start(_ broker: Broker = .embedded, _ added: [String: String] = [:]) async throws -> TestStack {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "minicrm-stack-\(UInt64.random(in: 0...UInt64.max))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var environment = ProcessInfo.processInfo.environment.merging(added) { $1 }
    if broker == .embedded { environment["KAFKA_HOME"] = nil }
    environment["STACK_DIR"] = directory.path
    environment["MINICRM_MONGOD"] = environment["MINICRM_MONGOD"] ?? repository.path + "/.cache/mongod/mongod"
    let names = [
      "PORT", "VENDOR_PORT", "EXPANDER_PORT", "SEND_WORKER_PORT", "AGGREGATOR_PORT", "INGEST_WORKER_PORT",
      "MONGOD_PORT", "KAFKA_PORT",
    ]
    for (name, port) in zip(names, try freePorts(names.count)) { environment[name] = String(port) }
    let lifeline = Pipe()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", #""$0" up > "$1/devstack.log" 2>&1 < /dev/null & cat > /dev/null; kill -TERM $!; wait $!; rm -rf "$1""#,
      executable("devstack").path, directory.path,
    ]
    process.environment = environment
    process.standardInput = lifeline
    try process.run()
    let file = directory.appendingPathComponent("env")
    do {
      try await until("the stack is up", within: .seconds(150)) {
        FileManager.default.fileExists(atPath: file.path)
      }
    } catch {
      let log = (try? String(contentsOf: directory.appendingPathComponent("devstack.log"), encoding: .utf8)) ?? ""
      try? lifeline.fileHandleForWriting.close()
      throw Failure(description: "\(error)\n\(log)")
    }
    let settings = try shellSettings(file)
    let client = try HTTPClient(maxConnectionsPerHost: 64, maxConcurrent: 256)
    let api = try await APIDescription.fetch(settings["BASE_URL"] ?? "", client)
    return TestStack(
      settings: settings, client: client, api: api, directory: directory, process: process, lifeline: lifeline)
  }

  /// Runs a test with a stack and stops it afterwards, whatever the test does.
  static func with(
    _ broker: Broker = .embedded, _ added: [String: String] = [:],
    _ body: @Sendable (TestStack) async throws -> Void
  ) async throws {
    let stack = try await start(broker, added)
    do {
      try await body(stack)
    } catch {
      let told = stack.lastWords()
      await stack.stop()
      throw Failure(description: "\(error)\n\(told)")
    }
    await stack.stop()
  }

  /// The end of every process's log, for the report of a failure; all of it is kept where `KEEP_STACK_LOGS` names a
  /// directory.
  private func lastWords() -> String {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path + "/logs")) ?? []
    if let keep = ProcessInfo.processInfo.environment["KEEP_STACK_LOGS"] {
      try? FileManager.default.copyItem(
        at: directory.appendingPathComponent("logs"),
        to: URL(fileURLWithPath: keep).appendingPathComponent(directory.lastPathComponent))
    }
    return names.filter { !$0.hasPrefix("mongod") && !$0.hasPrefix("broker") }.sorted().map { name in
      let text = (try? String(contentsOf: directory.appendingPathComponent("logs/\(name)"), encoding: .utf8)) ?? ""
      return "--- \(name)\n" + text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// Stops everything and waits until it is gone.
  func stop() async {
    await client.close()
    for lifeline in lifelines.withLock({ $0 }) { try? lifeline.fileHandleForWriting.close() }
    let process = self.process
    try? await until("the stack is down", within: .seconds(90)) { !process.isRunning }
  }

  // MARK: Processes

  /// Ends a process with a signal and waits until it is gone; returns what is needed to start it again.
  @discardableResult
  func kill(_ name: String, _ signal: Int32 = SIGKILL) async throws -> Killed {
    let pid = try processID(name)
    let killed = try running(name)
    guard Foundation.kill(pid, signal) == 0 else { throw Failure(description: "\(name) could not be signalled") }
    try await until("\(name) is gone", within: .seconds(40)) {
      let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
      return stat.isEmpty || stat.contains(") Z ")
    }
    return killed
  }

  /// What a running process was started with.
  private func running(_ name: String) throws -> Killed {
    let pid = try processID(name)
    let environment = try String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
      .split(separator: "\0").reduce(into: [String: String]()) { values, line in
        guard let equals = line.firstIndex(of: "=") else { return }
        values[String(line[..<equals])] = String(line[line.index(after: equals)...])
      }
    let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
    let port = environment["PORT"] ?? "0"
    return Killed(name: name, executable: path, environment: environment, url: "http://127.0.0.1:\(port)")
  }

  /// Starts another replica of a process with other settings and waits until it is ready; it ends with the stack.
  ///
  /// - Returns: its address.
  func startReplica(of name: String, _ changed: [String: String]) async throws -> String {
    let original = try running(name)
    let port = String(try Self.freePorts(1)[0])
    let replica = Killed(
      name: "\(name)-replica-\(port)", executable: original.executable,
      environment: original.environment.merging(changed) { $1 }.merging(["PORT": port]) { $1 },
      url: "http://127.0.0.1:\(port)")
    try await restart(replica)
    return replica.url
  }

  struct Killed: Sendable {
    let name: String
    let executable: String
    let environment: [String: String]
    let url: String
  }

  /// Starts a killed process again, as it was, and waits until it is ready.
  func restart(_ killed: Killed) async throws {
    let log = directory.appendingPathComponent("logs/\(killed.name).log").path
    let again = Process()
    again.executableURL = URL(fileURLWithPath: "/bin/sh")
    // The new process ends with the stack, like the one before it.
    again.arguments = [
      "-c", #""$0" >> "$1" 2>&1 < /dev/null & cat > /dev/null; kill -TERM $!; wait $!"#, killed.executable, log,
    ]
    again.environment = killed.environment
    let lifeline = Pipe()
    again.standardInput = lifeline
    try again.run()
    lifelines.withLock { $0.append(lifeline) }
    try await waitUntilReady(killed.url)
  }

  func waitUntilReady(_ url: String) async throws {
    try await until("\(url) is ready", within: .seconds(60)) {
      try await self.client.execute(HTTPClientRequest(.get, "\(url)/ready")).status == 200
    }
  }

  func processID(_ name: String) throws -> pid_t {
    let table = try String(contentsOf: directory.appendingPathComponent("pids"), encoding: .utf8)
    for line in table.split(separator: "\n") {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      if fields.count > 1, fields[0] == name, let pid = pid_t(fields[1]) { return pid }
    }
    throw Failure(description: "there is no process \(name)")
  }

  func log(of name: String) -> String {
    (try? String(contentsOf: directory.appendingPathComponent("logs/\(name).log"), encoding: .utf8)) ?? ""
  }

  // MARK: Requests

  struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue.parse(body)) ?? .null }
    /// The `data` of a success.
    var data: JSONValue { json["data"] ?? .null }
  }

  var baseURL: String { settings["BASE_URL"] ?? "" }
  var vendorURL: String { settings["VENDOR_URL"] ?? "" }

  @discardableResult
  func request(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:]
  ) async throws -> Answer {
    var headers = headers
    if body != nil, headers["Content-Type"] == nil { headers["Content-Type"] = "application/json" }
    return try await send(method, path, body?.encoded() ?? [], headers, within: .seconds(60), atMost: 64 << 20)
  }

  /// Sends a CSV.
  ///
  /// - Parameter gateway: another than the stack's own.
  func upload(
    _ path: String, _ file: [UInt8], headers: HTTPHeaders = [:], to gateway: String? = nil
  ) async throws -> Answer {
    var headers = headers
    headers["Content-Type"] = "text/csv"
    return try await send(.post, path, file, headers, to: gateway, within: .seconds(120), atMost: 1 << 20)
  }

  /// Sends a request as it stands, and holds its answer against the description.
  ///
  /// - Parameters:
  ///   - gateway: another than the stack's own; without effect on a path that is a whole URL.
  ///   - bytes: of the answer's body.
  func send(
    _ method: HTTPMethod, _ path: String, _ body: [UInt8], _ headers: HTTPHeaders, to gateway: String? = nil,
    within limit: Duration, atMost bytes: Int
  ) async throws -> Answer {
    let url = path.hasPrefix("http") ? path : (gateway ?? baseURL) + path
    let response = try await client.execute(
      HTTPClientRequest(
        method, url, headers: headers, body: body, timeouts: .init(total: limit), maxResponseBytes: bytes))
    return conforming(Answer(status: response.status, headers: response.headers, body: response.body), method, path)
  }

  /// The answer, after a test failure for everything in which it is not as described.
  func conforming(_ answer: Answer, _ method: HTTPMethod, _ path: String) -> Answer {
    for violation in api.violations(method, path, answer) {
      Issue.record("\(method) \(path): \(violation)\n\(answer.text.prefix(500))")
    }
    return answer
  }

  /// A request that must succeed; anything else ends the test with the answer's text.
  @discardableResult
  func succeed(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:]
  ) async throws -> Answer {
    let answer = try await request(method, path, body, headers: headers)
    guard (200..<300).contains(answer.status) else {
      throw Failure(description: "\(method) \(path): \(answer.status) \(answer.text.prefix(2000))")
    }
    return answer
  }

  // MARK: Surroundings

  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// A product's executable: beside the test bundle.
  static func executable(_ name: String) -> URL {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    let beside = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name)
    if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
    return Bundle.allBundles.lazy.map { $0.bundleURL.deletingLastPathComponent().appendingPathComponent(name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
      ?? repository.appendingPathComponent(".build/debug/\(name)")
  }

  private static func shellSettings(_ file: URL) throws -> [String: String] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n").reduce(into: [:]) { values, line in
      let text = line.hasPrefix("export ") ? line.dropFirst("export ".count) : line
      guard let equals = text.firstIndex(of: "=") else { return }
      let value = text[text.index(after: equals)...]
      values[String(text[..<equals])] = value.trimmingCharacters(in: CharacterSet(charactersIn: "'"))
    }
  }
}

extension TestStack {
  /// So many different ports that nobody listens on.
  static func freePorts(_ count: Int) throws -> [Int] {
    var ports: Set<Int> = []
    while ports.count < count {
      guard let port = TCPPorts.anyFree() else { throw Failure(description: "no free port") }
      ports.insert(port)
    }
    return Array(ports)
  }
}

/// Waits until a condition holds, trying again while it throws.
func until(
  _ what: String, within limit: Duration = .seconds(30), _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  var last: (any Error)?
  while ContinuousClock.now < deadline {
    do {
      if try await condition() { return }
      last = nil
    } catch {
      last = error
    }
    try await Task.sleep(for: .milliseconds(100))
  }
  throw TestStack.Failure(description: "\(what): not within \(limit)" + (last.map { "; last: \($0)" } ?? ""))
}
