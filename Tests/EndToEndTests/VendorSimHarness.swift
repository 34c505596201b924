import Crypto
import Foundation
import HTTP
import JSON
import Synchronization
import Testing

/// A running `vendor-sim`, as it was built beside the tests.
final class VendorSimProcess: Sendable {
  static let secretKey = Array("a webhook key of the test".utf8)
  static let secret = "whsec_" + Data(secretKey).base64EncodedString()

  let base: String
  let process: Process
  private let client: HTTPClient
  private let log: URL

  /// Starts the simulator on a free port and returns once it is ready.
  ///
  /// - Parameter receiptURL: nobody listens at the default.
  init(ledger: URL, receiptURL: String = "http://127.0.0.1:9/receipts") async throws {
    process = Process()
    process.executableURL = try Self.executable()
    process.environment = Self.environment(ledger: ledger, receiptURL: receiptURL)
    // A file: a pipe would need a reader, and hold up whoever waits for this process's own output, should it crash.
    log = FileManager.default.temporaryDirectory.appending(path: "vendor-sim-\(UUIDBytes().string).log")
    guard FileManager.default.createFile(atPath: log.path, contents: nil) else { throw NoPort(output: log.path) }
    let output = try FileHandle(forWritingTo: log)
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try output.close()
    let port = try await Self.port(in: log)
    base = "http://127.0.0.1:\(port)"
    client = try HTTPClient(maxConnectionsPerHost: 64, maxConcurrent: 64)
    let ready = "\(base)/ready"
    try await eventually("the simulator is ready") { [client] in
      try await client.execute(HTTPClientRequest(.get, ready)).status == 200
    }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: log)
  }

  static func environment(ledger: URL, receiptURL: String) -> [String: String] {
    [
      "HOST": "127.0.0.1", "PORT": "0", "LEDGER_PATH": ledger.path, "RECEIPT_URL": receiptURL,
      "RECEIPT_WEBHOOK_SECRET": secret,
    ]
  }

  /// The executable lies in the same folder as the test bundle.
  static func executable() throws -> URL {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    for name in ["vendor-sim", "VendorSim"] {
      let candidate = folder.appendingPathComponent(name)
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
    }
    throw MissingExecutable(folder: folder.path)
  }

  struct MissingExecutable: Error { let folder: String }
  struct NoPort: Error { let output: String }

  private static func port(in log: URL) async throws -> Int {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
      // The last line may not be whole yet.
      let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
      if let line = lines.dropLast().first(where: { $0.contains("\"listening\"") }),
        let port = try JSONValue.parse(String(line))["port"]?.intValue
      {
        return Int(port)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw NoPort(output: try String(contentsOf: log, encoding: .utf8))
  }

  /// Ends the process at once, as a crash would, and waits for its end.
  func crash() async {
    kill(process.processIdentifier, SIGKILL)
    await ended()
  }

  /// - Returns: the exit code after SIGTERM.
  @discardableResult
  func stop() async -> Int32 {
    process.terminate()
    await ended()
    return process.terminationStatus
  }

  private func ended() async {
    while process.isRunning { try? await Task.sleep(for: .milliseconds(5)) }
  }

  // MARK: Calls

  func call(
    _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], headers: HTTPHeaders = [:],
    timeout: Duration = .seconds(10)
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    try await client.execute(
      HTTPClientRequest(
        method, base + path, headers: headers, body: body, timeouts: .init(total: timeout),
        maxResponseBytes: 64 << 20))
  }

  /// Posts a message.
  func post(
    sendID: String = UUIDBytes().string, key: String? = nil, to: String = "+14155550123", message: String = "Hi John",
    channel: String = "whatsapp", callback: String? = nil, timeout: Duration = .seconds(10)
  ) async throws -> HTTPClientResponse {
    var body: JSONObject = [
      "send_id": .string(sendID), "to": .string(to), "message": .string(message), "channel": .string(channel),
    ]
    body["callback_url"] = callback.map { .string($0) }
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    headers["Idempotency-Key"] = key
    return try await call(.post, "/v1/messages", JSONValue.object(body).encoded(), headers: headers, timeout: timeout)
  }

  /// Posts a message that must be accepted, and returns its vendor id.
  func accepted(sendID: String = UUIDBytes().string, key: String? = nil, callback: String? = nil) async throws -> String
  {
    let response = try await post(sendID: sendID, key: key, callback: callback)
    #expect(response.status == 202)
    let json = try JSONValue.parse(response.body)
    #expect(json["status"]?.stringValue == "QUEUED_BY_VENDOR")
    return try #require(json["vendor_message_id"]?.stringValue)
  }

  func behave(_ change: JSONValue) async throws {
    let response = try await call(.put, "/v1/behaviour", change.encoded())
    #expect(response.status == 200)
  }

  func behaviour() async throws -> JSONValue { try JSONValue.parse(try await call(.get, "/v1/behaviour").body) }

  func ledger(_ query: String = "") async throws -> [JSONValue] {
    let response = try await call(.get, "/v1/ledger\(query)")
    #expect(response.status == 200)
    #expect(response.headers["Content-Type"] == "application/x-ndjson")
    return try response.body.split(separator: 0x0A).map { try JSONValue.parse(Array($0)) }
  }
}

/// Where receipts arrive.
final class ReceiptListener: Sendable {
  struct Arrival: Sendable {
    let headers: HTTPHeaders
    let body: [UInt8]
    let status: Int
    let at: ContinuousClock.Instant

    subscript(name: String) -> String? { (try? JSONValue.parse(body))?[name]?.stringValue }
  }

  let url: String
  private let server: HTTPServer
  private let shared: Shared

  private final class Shared: Sendable {
    let arrivals = Mutex<[Arrival]>([])
    let answer = Mutex(202)
  }

  init() throws {
    let shared = Shared()
    var router = HTTPRouter()
    router.on(.post, "/receipts") { request in
      let body = try await request.body.collect(upTo: 1 << 20)
      let status = shared.answer.withLock { $0 }
      shared.arrivals.withLock {
        $0.append(Arrival(headers: request.headers, body: body, status: status, at: .now))
      }
      return HTTPResponse(status: status)
    }
    let server = HTTPServer(.init(host: "127.0.0.1", port: 0), router: router)
    try server.start()
    self.shared = shared
    self.server = server
    url = "http://127.0.0.1:\(server.port)/receipts"
  }

  /// What arrived and was taken, in order.
  var taken: [Arrival] { all.filter { $0.status < 300 } }
  var all: [Arrival] { shared.arrivals.withLock { $0 } }

  /// What every later receipt is answered with.
  func answer(_ status: Int) { shared.answer.withLock { $0 = status } }

  func stop() async { await server.stop(grace: .seconds(1)) }
}

/// Waits for a condition; records an issue when it does not come within ten seconds.
func eventually(
  _ what: Comment, within limit: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if (try? await condition()) == true { return }
    try await Task.sleep(for: .milliseconds(10))
  }
  Issue.record(what, sourceLocation: sourceLocation)
}

/// A folder that is removed with the last reference.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("vendor-sim-\(UUIDBytes().string)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var ledger: URL { url.appendingPathComponent("ledger.ndjson") }
}
