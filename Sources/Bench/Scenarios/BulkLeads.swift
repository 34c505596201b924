import JSON

/// What a scenario that stores leads came to.
struct StoreResult: Sendable {
  let leads: Int
  let seconds: Double
  let uses: [ProcessUse]
  let machine: MachineUse

  var perSecond: Double { Double(leads) / seconds }
}

/// Scenario 1: new leads through `POST /api/v1/leads/bulk`, a few requests at a time.
struct BulkLeads: Sendable {
  static let batch = 5000
  static let concurrency = 4

  let api: APIClient
  let meter: ProcessMeter
  /// Numbers of the sample leads.
  let leads: Range<Int>

  func run(_ checks: inout Checks) async throws -> StoreResult {
    let bodies = SampleLeads.requests(of: leads, batch: Self.batch)
    let (accepted, inserted, rejected) = (Counter(), Counter(), Counter())
    var reading = meter.begin()
    let began = ContinuousClock.now
    try await concurrently(bodies.count, workers: Self.concurrency) { index in
      let answer = try await api.post("/api/v1/leads/bulk", bodies[index])
      let data = answer["data"]
      accepted.add(Int(data?["accepted"]?.intValue ?? 0))
      inserted.add(Int(data?["inserted"]?.intValue ?? 0))
      rejected.add(data?["rejected"]?.arrayValue?.count ?? 0)
    }
    let seconds = began.duration(to: .now) / .seconds(1)
    let used = reading.end()
    checks.expect("leads accepted", accepted.total, "the leads sent", leads.count)
    checks.expect("leads inserted", inserted.total, "the leads sent", leads.count)
    checks.expect("leads rejected", rejected.total, "none", 0)
    return StoreResult(leads: leads.count, seconds: seconds, uses: used.processes, machine: used.machine)
  }
}
