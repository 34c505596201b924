import CRMStore
import Crypto
import HTTP
import JSON
import Mongo

/// Files of leads that are imported while processes die, each sent again under its key until it is taken.
struct ChaosImports: Sendable {
  private static let rows: Int64 = 2500
  /// One row in so many is not acceptable: half of these the gateway finds, half the worker.
  private static let badOf: Int64 = 50
  private static let lanes = 3
  private static let pause = Duration.seconds(2)

  let world: ChaosWorld
  let findings: Findings

  struct Imported: Sendable {
    /// The tag of its leads.
    let file: String
    let job: String
  }

  /// Imports one file after the other, in several lanes: whoever takes up a file of a dead gateway waits for its lease.
  func run(until end: ContinuousClock.Instant) async throws -> [Imported] {
    try await withThrowingTaskGroup(of: [Imported].self) { group in
      for _ in 0..<Self.lanes {
        group.addTask {
          var imported: [Imported] = []
          while ContinuousClock.now < end {
            imported.append(try await importFile("file-\(UUIDBytes().string)"))
            try await Task.sleep(for: Self.pause)
          }
          return imported
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
  }

  private func importFile(_ name: String) async throws -> Imported {
    var file = Array("name,emails,tags,metadata.row:number\r\n".utf8)
    for row in 1...Self.rows {
      let isBad = row % Self.badOf == 0
      let number = isBad && row % (2 * Self.badOf) == 0 ? "none" : "\(row)"
      let email = isBad && number != "none" ? "nobody" : "lead\(row)@\(name).example"
      file += "\"Lead, \(row)\",\(email),\(name),\(number)\r\n".utf8
    }
    let answer = try await world.api.persist(
      .post, "/api/v1/leads/import", file, headers: ["Content-Type": "text/csv"], within: .seconds(240))
    guard answer.status == 202, let job = answer.data["jobId"]?.stringValue else {
      throw StackError("the import of a file: \(answer.status) \(answer.json.encodedString().prefix(500))")
    }
    return Imported(file: name, job: job)
  }

  /// (10) Every good row of a file is one lead, and every row is counted once.
  func audit(_ files: [Imported]) async throws {
    for file in files {
      let job = try await Poll.until("the job of \(file.file)", within: .seconds(120)) {
        let job = await world.api.attempt(.get, "/api/v1/jobs/\(file.job)")?.data
        return job?["state"] == "completed" ? job : nil
      }
      let leads = try await world.mongo.withConnection {
        try $0.count(Collections.leads, ["tags": .string(file.file)])
      }
      let bad = Self.rows / Self.badOf
      let expected: [(name: String, count: Int64)] = [
        ("received", Self.rows), ("processed", Self.rows), ("inserted", Self.rows - bad), ("modified", 0),
        ("rejected", bad),
      ]
      for (name, count) in expected where job[name]?.intValue != count {
        findings.violated("10: \(file.file): \(name) is \(job[name]?.encodedString() ?? "missing"), not \(count)")
      }
      if Int64(leads) != Self.rows - bad { findings.violated("10: \(file.file) has made \(leads) leads") }
    }
    findings.count {
      $0.files += files.count
      $0.rows += files.count * Int(Self.rows)
    }
  }
}
