import Foundation

/// Starts a stack, runs every scenario against it, stops it, and reports.
struct Benchmark: Sendable {
  let options: Options
  let stack: BenchStack
  let console: Console

  /// - Returns: whether every number adds up.
  func run() async throws -> Bool {
    let results = try await stack.stoppingAfterwards { try await measure() }
    console.line(ResultTable(results: results).text)
    let file = try ResultFile(results: results).write(into: options.results)
    console.line("\nwritten to \(file)")
    for failure in results.checks.failures { console.line("does not add up: \(failure)") }
    return results.checks.failures.isEmpty
  }

  private func measure() async throws -> Results {
    let running = try await stack.start()
    let mongo = try await running.mongoClient()
    let api = try APIClient(baseURL: running.baseURL)
    do {
      let results = try await scenarios(running, BenchDatabase(client: mongo), api)
      await stack.dropOwnDatabase(mongo)
      await api.close()
      await mongo.close()
      return results
    } catch {
      await api.close()
      await mongo.close()
      throw error
    }
  }

  private func scenarios(_ running: RunningStack, _ database: BenchDatabase, _ api: APIClient) async throws -> Results {
    let profiler = options.profiles ? try await Profiler(running, into: stack.directory, console) : nil
    let meter = ProcessMeter(running.processes, console)
    var results = Results(
      options: options, machine: await Machine.current(),
      versions: await Versions.of(running, database, environment: stack.environment), broker: running.broker)
    var checks = Checks()

    console.progress("bulk: \(grouped(options.leads)) leads")
    try await meter.quiet()
    results.bulk = try await Profiler.profiled("bulk", profiler) {
      try await BulkLeads(api: api, meter: meter, leads: 0..<options.leads).run(&checks)
    }
    console.progress("floor: the same documents inserted as they are")
    try await meter.quiet()
    let floor = RawInsert(database: database, meter: meter)
    results.floor = try await floor.run(expected: options.leads, &checks)
    try await floor.drop()

    console.progress("end to end: a campaign to \(grouped(options.leads)) leads")
    try await meter.quiet()
    let campaign = try await CampaignScenario.prepare(api: api, running: running, meter: meter, console: console)
    results.campaign = try await Profiler.profiled("campaign", profiler) {
      try await campaign.run(leads: options.leads, &checks)
    }
    let ledger = try await Ledger.read(stack.directory.appending(path: BenchStack.ledgerFile))
    checks.expect("effective lines of the vendor's ledger", ledger.effective, "the messages", results.messages)
    checks.expect("send ids in them", ledger.distinct, "the lines", ledger.effective)

    console.progress("receipts: \(grouped(options.receipts)), one a request")
    try await meter.quiet()
    results.receipts = try await Profiler.profiled("receipts", profiler) {
      try await ReceiptScenario(
        api: api, running: running, database: database, meter: meter, campaign: campaign,
        connections: options.receiptConnections
      ).run(count: options.receipts, &checks)
    }
    results.checks = checks
    return results
  }
}
