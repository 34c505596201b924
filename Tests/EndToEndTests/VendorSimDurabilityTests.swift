import Crypto
import Foundation
import HTTP
import JSON
import Synchronization
import Testing

@Suite("vendor-sim: what survives")
struct VendorSimDurabilityTests {
  private let folder: TemporaryFolder

  /// Vendor ids by send id of calls that were answered 202.
  private final class Answered: Sendable {
    private let ids = Mutex<[String: String]>([:])

    var all: [String: String] { ids.withLock { $0 } }
    func add(_ sendID: String, _ id: String) { ids.withLock { $0[sendID] = id } }
  }

  init() throws { folder = try TemporaryFolder() }

  @Test("every call answered before kill -9 is in the ledger afterwards, once, and its key is still honoured")
  func ledgerSurvivesKill() async throws {
    let simulator = try await VendorSimProcess(ledger: folder.ledger)
    let answered = Answered()
    let crashing = Task {
      try await eventually("there is traffic") { answered.all.count >= 300 }
      await simulator.crash()
    }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<16 {
        group.addTask {
          for _ in 0..<100_000 {
            let sendID = UUIDBytes().string
            guard let response = try? await simulator.post(sendID: sendID, key: sendID), response.status == 202,
              let id = try? JSONValue.parse(response.body)["vendor_message_id"]?.stringValue
            else { return }
            answered.add(sendID, id)
          }
        }
      }
    }
    try await crashing.value
    let before = answered.all
    #expect(before.count >= 300)

    let again = try await VendorSimProcess(ledger: folder.ledger)
    let lines = try await again.ledger()
    #expect(lines.map { $0["seq"]?.intValue } == (0..<lines.count).map { Int64($0 + 1) })
    let found = Dictionary(
      lines.compactMap { line in line["send_id"]?.stringValue.map { ($0, line["vendor_message_id"]?.stringValue) } },
      uniquingKeysWith: { first, _ in first })
    #expect(found.count == lines.count)
    #expect(before.allSatisfy { found[$0.key] == $0.value })
    let (sendID, id) = try #require(before.first)
    #expect(try await again.accepted(sendID: sendID, key: sendID) == id)
    #expect(try await again.ledger("?after=\(lines.count)").map { $0["effective"]?.boolValue } == [false])
  }

  @Test("half a line at the end of the ledger is cut off, and numbering goes on")
  func tornLine() async throws {
    let simulator = try await VendorSimProcess(ledger: folder.ledger)
    for _ in 0..<3 { _ = try await simulator.accepted() }
    await simulator.crash()
    let handle = try FileHandle(forWritingTo: folder.ledger)
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(#"{"seq":4,"at":"2026-11-21T09:46:0"#.utf8))
    try handle.close()
    let again = try await VendorSimProcess(ledger: folder.ledger)
    _ = try await again.accepted()
    #expect(try await again.ledger().map { $0["seq"]?.intValue } == [1, 2, 3, 4])
  }

  @Test("receipts that a kill interrupted are sent after the restart, to the same place, with the same outcome")
  func receiptsSurviveKill() async throws {
    let listener = try ReceiptListener()
    let callback = try ReceiptListener()
    listener.answer(503)
    let simulator = try await VendorSimProcess(ledger: folder.ledger, receiptURL: listener.url)
    try await simulator.behave(["failure_rate": 1, "delay_ms": [0, 0]])
    let refused = try await simulator.accepted()
    try await eventually("the first receipt is refused") { !listener.all.isEmpty }
    try await simulator.behave(["failure_rate": 0, "delay_ms": [1500, 1500]])
    let waiting = try await simulator.accepted(callback: callback.url)
    try await simulator.behave(["failure_rate": 1, "delay_ms": [0, 0]])
    await simulator.crash()
    listener.answer(202)

    let again = try await VendorSimProcess(ledger: folder.ledger, receiptURL: listener.url)
    #expect(try await again.behaviour()["failure_rate"] == 1.0, "the behaviour survives, too")
    try await eventually("the refused receipt is taken") { listener.taken.count == 1 }
    try await eventually("the receipt that was not due yet is taken") { callback.taken.count == 1 }
    #expect(listener.taken.first?["vendor_message_id"] == refused)
    #expect(listener.taken.first?["status"] == "FAILED")
    #expect(callback.taken.first?["vendor_message_id"] == waiting)
    #expect(callback.taken.first?["status"] == "DELIVERED")

    // What has been reported is not reported again by a third start.
    #expect(await again.stop() == 0)
    let third = try await VendorSimProcess(ledger: folder.ledger, receiptURL: listener.url)
    let marker = try await third.accepted()
    try await eventually("the marker's receipt arrives") {
      listener.taken.contains { $0["vendor_message_id"] == marker }
    }
    #expect(listener.taken.count == 2)
    #expect(callback.taken.count == 1)
  }

  @Test("a second process on the same ledger refuses to start and says why")
  func lockedLedger() async throws {
    let simulator = try await VendorSimProcess(ledger: folder.ledger)
    let (status, output) = try await Self.run(ledger: folder.ledger)
    #expect(status == 1)
    #expect(output.contains("another process writes this ledger"))
    _ = try await simulator.accepted()
  }

  @Test("a file that is no ledger is left alone")
  func foreignFile() async throws {
    let text = "name,email\nAna,ana@example.com\n"
    try Data(text.utf8).write(to: folder.ledger)
    let (status, output) = try await Self.run(ledger: folder.ledger)
    #expect(status == 1)
    #expect(output.contains("is not a ledger"))
    #expect(try String(contentsOf: folder.ledger, encoding: .utf8) == text)
  }

  /// Runs the simulator to its end.
  private static func run(ledger: URL) async throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = try VendorSimProcess.executable()
    process.environment = VendorSimProcess.environment(ledger: ledger, receiptURL: "http://127.0.0.1:9/receipts")
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    try await eventually("the process ends") { !process.isRunning }
    return (process.terminationStatus, String(decoding: output.fileHandleForReading.availableData, as: UTF8.self))
  }
}
