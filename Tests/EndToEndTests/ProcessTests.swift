import Foundation
import HTTP
import JSON
import Runtime
import Testing

/// How every process begins, waits and ends.
@Suite(.serialized) struct ProcessTests {
  static let names = [
    "api-gateway", "job-expander", "send-worker", "receipt-aggregator", "ingest-worker", "vendor-sim",
  ]

  /// Runs a process that is expected to end by itself.
  private func run(
    _ name: String, _ arguments: [String] = [], _ environment: [String: String] = [:]
  ) throws -> (code: Int32, output: String, errors: String) {
    let process = Process()
    process.executableURL = TestStack.executable(name)
    process.arguments = arguments
    process.environment = environment
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let written = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
      process.terminationStatus, String(decoding: written, as: UTF8.self), String(decoding: complained, as: UTF8.self)
    )
  }

  @Test(arguments: names)
  func helpAndVersionAndWrongArguments(name: String) throws {
    let help = try run(name, ["--help"])
    #expect(help.code == 0 && help.output.contains("usage: \(name)") && help.output.contains("MONGODB_URI"))
    let version = try run(name, ["--version"])
    #expect(version.code == 0 && version.output.hasPrefix("\(name) "))
    let wrong = try run(name, ["--frobnicate"])
    #expect(wrong.code == 64 && wrong.errors.contains("--frobnicate"))
  }

  @Test(arguments: names)
  func allBadSettingsAreNamedInOneMessage(name: String) throws {
    let bad = try run(
      name, [], ["PORT": "99999", "MONGODB_URI": "http://x", "LOG_LEVEL": "loud", "RECEIPT_WEBHOOK_SECRET": "hunter2"])
    #expect(bad.code == 78)
    for key in ["PORT", "MONGODB_URI", "LOG_LEVEL"] { #expect(bad.errors.contains("\(key): ")) }
    #expect(!bad.errors.contains("hunter2") && !bad.output.contains("hunter2"))
  }

  @Test func aFailpointThatTheProcessDoesNotHaveIsABadSetting() throws {
    let points = try run("send-worker", ["--failpoints"])
    #expect(points.code == 0 && points.output.contains("claim.committed\t"))
    for (key, value) in [("FAILPOINT", "claim.nowhere"), ("FAILPOINT", "expand.committed"), ("FAULT", "haste")] {
      let bad = try run("send-worker", [], [key: value])
      #expect(bad.code == 78 && bad.errors.contains(value), "\(key)=\(value)")
    }
  }

  @Test func aTakenPortIsOneClearLine() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    let port = try TestStack.freePorts(1)[0]
    let bound = withIPv4Address("0.0.0.0", port: port) { bind(listener, $0, $1) }
    try #require(bound == 0 && listen(listener, 1) == 0)
    let taken = try run("job-expander", [], ["PORT": String(port)])
    #expect(taken.code == 1)
    let lines = taken.output.split(separator: "\n").filter { $0.contains(String(port)) }
    #expect(lines.count == 1 && lines[0].contains("taken"), "\(taken.output)")
  }

  @Test func aProcessWaitsForItsDependenciesAndSaysSo() async throws {
    let ports = try TestStack.freePorts(3)
    let (mongo, broker, port) = (ports[0], ports[1], ports[2])
    let process = Process()
    process.executableURL = TestStack.executable("receipt-aggregator")
    process.environment = [
      "PORT": String(port), "MONGODB_URI": "mongodb://127.0.0.1:\(mongo)/?replicaSet=rs0",
      "KAFKA_BROKERS": "127.0.0.1:\(broker)",
    ]
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("minicrm-wait-\(port).log")
    try Data().write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    process.standardOutput = try FileHandle(forWritingTo: file)
    try process.run()
    let client = try HTTPClient(maxConnectionsPerHost: 2, maxConcurrent: 2)
    let url = "http://127.0.0.1:\(port)"
    try await until("it listens") { try await client.execute(HTTPClientRequest(.get, "\(url)/health")).status == 200 }
    let health = try JSONValue.parse(try await client.execute(HTTPClientRequest(.get, "\(url)/health")).body)
    #expect(health["status"]?.stringValue == "ok")
    #expect(health["services"]?["database"]?.stringValue == "disconnected")
    #expect(try await client.execute(HTTPClientRequest(.get, "\(url)/ready")).status == 503)
    let metrics = try await client.execute(HTTPClientRequest(.get, "\(url)/metrics"))
    #expect(metrics.status == 200 && String(decoding: metrics.body, as: UTF8.self).contains("minicrm_dependency_up"))
    await client.close()
    try await until("it says that it waits") {
      try String(contentsOf: file, encoding: .utf8).contains("waiting for MongoDB")
    }
    process.terminate()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "a signal ends it in order although it still waits")
  }

  @Test func everyProcessEndsInOrderOnSIGTERM() async throws {
    let stack = try await TestStack.start()
    let scenario = try await CampaignScenario.prepare(stack, leads: 400)
    try await scenario.run()
    _ = try await scenario.untilSettled()
    for name in Self.names {
      let began = ContinuousClock.now
      try await stack.kill(name, SIGTERM)
      #expect(began.duration(to: .now) < .seconds(30), "\(name)")
      #expect(stack.log(of: name).contains("\"message\":\"stopped\""), "\(name)")
    }
    await stack.stop()
  }
}
