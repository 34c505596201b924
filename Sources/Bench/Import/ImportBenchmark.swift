import CSV
import Foundation
import JSON
import ServiceHost

/// `minicrm-bench import`: a file through the API against the same documents inserted as they are, and what the gateway's memory
/// does meanwhile.
struct ImportBenchmark: Sendable {
  let options: ImportOptions
  let stack: BenchStack
  let console: Console

  private struct Result: Sendable {
    /// From the first byte to the answer.
    let upload: Double
    /// To the last row stored and counted.
    let all: Double
    let bytes: Int
    let gatewayBefore: Int
    let gatewayPeak: Int
    let store: StoreResult
    let floor: StoreResult
    let broker: String
    /// Rows a second of the reader by itself, on one thread.
    let reading: Double
  }

  /// - Returns: whether every number adds up.
  func run() async throws -> Bool {
    let machine = await Machine.current()
    let (result, checks) = try await stack.stoppingAfterwards { try await measure() }
    for line in report(result, machine) { console.line(line) }
    for failure in checks.failures { console.line("does not add up: \(failure)") }
    return checks.failures.isEmpty
  }

  private func measure() async throws -> (Result, Checks) {
    let running = try await stack.start()
    let mongo = try await running.mongoClient()
    let api = try APIClient(baseURL: running.baseURL)
    defer { Task { await api.close() } }
    guard let gateway = running.processes.first(where: { $0.name == "api-gateway" }) else {
      throw BenchError("the stack has no api-gateway")
    }
    var checks = Checks()
    let meter = ProcessMeter(running.processes, console)
    // What the first request of its kind allocates for good is not the file's.
    _ = try await importFile(SampleLeads.csv(of: options.rows..<options.rows + 2000), api)
    try await mongo.withConnection { _ = try $0.deleteMany("leads", [:]) }

    let file = SampleLeads.csv(of: 0..<options.rows)
    console.progress("import: \(grouped(options.rows)) rows, \(grouped(file.count)) bytes")
    try await meter.quiet()
    let before = gateway.residentBytes.now
    var reading = meter.begin()
    let began = ContinuousClock.now
    let (job, upload) = try await importFile(file, api)
    let seconds = began.duration(to: .now) / .seconds(1)
    let used = reading.end()
    checks.expect("rows received", Int(job["received"]?.intValue ?? 0), "the rows of the file", options.rows)
    checks.expect("rows inserted", Int(job["inserted"]?.intValue ?? 0), "the rows of the file", options.rows)
    checks.expect("rows rejected", Int(job["rejected"]?.intValue ?? 0), "none", 0)
    let stored = StoreResult(leads: options.rows, seconds: seconds, uses: used.processes, machine: used.machine)

    console.progress("floor: the same documents inserted as they are")
    try await meter.quiet()
    let raw = RawInsert(database: BenchDatabase(client: mongo), meter: meter)
    let floor = try await raw.run(expected: options.rows, &checks)
    try await raw.drop()
    let peak = used.processes.first { $0.name == "api-gateway" }?.peakBytes ?? 0
    await stack.dropOwnDatabase(mongo)
    await mongo.close()
    return (
      Result(
        upload: upload, all: seconds, bytes: file.count, gatewayBefore: before, gatewayPeak: peak, store: stored,
        floor: floor, broker: running.broker, reading: try readingSpeed()), checks
    )
  }

  /// - Returns: the completed job, and the seconds until the answer came.
  private func importFile(_ file: [UInt8], _ api: APIClient) async throws -> (job: JSONValue, upload: Double) {
    let began = ContinuousClock.now
    let answer = try await api.upload("/api/v1/leads/import", file, type: "text/csv")
    let upload = began.duration(to: .now) / .seconds(1)
    let id = answer["data"]?["jobId"]?.stringValue ?? ""
    let deadline = ContinuousClock.now + .seconds(1800)
    while ContinuousClock.now < deadline {
      let job = try await api.get("/api/v1/jobs/\(id)")["data"] ?? .null
      if job["state"] == "completed" { return (job, upload) }
      guard job["state"] != "failed" else { throw BenchError("the import failed: \(job.encodedString())") }
      try await Task.sleep(for: .milliseconds(200))
    }
    throw BenchError("the import \(id) was not completed within half an hour")
  }

  private func report(_ result: Result, _ machine: Machine) -> [String] {
    let growth = Double(result.gatewayPeak - result.gatewayBefore) / 1e6
    let cpu = result.store.uses.map { use in
      ["  \(use.name)", fixed(use.cpuSeconds * 1e6 / Double(options.rows), 1), fixed(Double(use.peakBytes) / 1e6, 0)]
    }
    return [
      "MiniCRM \(ProductVersion.current) import, commit \(machine.commit ?? "unknown"), \(grouped(options.rows)) rows, "
        + "\(fixed(Double(result.bytes) / 1e6, 0)) MB",
      "  \(machine.cores) cores (\(machine.model)), \(machine.memoryGB) GB, \(machine.kernel); broker: \(result.broker)",
      "",
    ]
      + aligned([
        ["rows/s, stored and counted", fixed(result.store.perSecond, 0)],
        ["  upload answered after, s", fixed(result.upload, 1)],
        ["the floor: a raw insert of the same, documents/s", fixed(result.floor.perSecond, 0)],
        ["  import : floor", fixed(result.store.perSecond / result.floor.perSecond, 2)],
        ["reading alone: CSV, rows/s", fixed(result.reading, 0)],
        ["gateway, resident MB before", fixed(Double(result.gatewayBefore) / 1e6, 1)],
        ["  peak meanwhile", fixed(Double(result.gatewayPeak) / 1e6, 1)], ["  growth (at most 20)", fixed(growth, 1)],
      ])
      + [
        "",
        "machine \(fixed(result.store.machine.busy * 100, 0)) % busy, others \(fixed(result.store.machine.others * 100, 0)) %",
      ]
      + aligned([["", "CPU µs a row", "peak MB"]] + cpu)
  }

  private func readingSpeed() throws -> Double {
    let rows = min(options.rows, 200_000)
    let file = SampleLeads.csv(of: 0..<rows)
    let began = ContinuousClock.now
    var reader = CSVReader()
    var read = 0
    for start in stride(from: 0, to: file.count, by: 64 << 10) {
      let chunk = Array(file[start..<min(start + 64 << 10, file.count)])
      var offset = 0
      while try reader.next(chunk, from: &offset) { read += 1 }
    }
    return Double(read) / (began.duration(to: .now) / .seconds(1))
  }
}
