import ServiceHost

/// `minicrm-bench bulk`: new leads through the API against the same documents inserted as they are, in turns.
struct BulkBenchmark: Sendable {
  private struct Round: Sendable {
    let bulk: StoreResult
    let floor: StoreResult

    var ratio: Double { bulk.perSecond / floor.perSecond }
  }

  let options: BulkOptions
  let stack: BenchStack
  let console: Console

  /// - Returns: whether every number adds up.
  func run() async throws -> Bool {
    let machine = await Machine.current()
    let (rounds, broker, checks) = try await stack.stoppingAfterwards { try await measure() }
    for line in report(rounds, broker, machine) { console.line(line) }
    for failure in checks.failures { console.line("does not add up: \(failure)") }
    return checks.failures.isEmpty
  }

  private func measure() async throws -> ([Round], String, Checks) {
    let running = try await stack.start()
    let mongo = try await running.mongoClient()
    let api = try APIClient(baseURL: running.baseURL)
    defer { Task { await api.close() } }
    let profiler = options.profiles ? try await Profiler(running, into: stack.directory, console) : nil
    let meter = ProcessMeter(running.processes, console)
    var checks = Checks()
    console.progress("waiting for the servers to warm up")
    try await meter.settled()
    var rounds: [Round] = []
    let floor = RawInsert(database: BenchDatabase(client: mongo), meter: meter)
    for number in 0..<options.rounds {
      try await meter.quiet()
      let first = number * options.leads
      let bulk = try await Profiler.profiled("bulk-\(number + 1)", profiler) {
        try await BulkLeads(api: api, meter: meter, leads: first..<first + options.leads).run(&checks)
      }
      try await meter.quiet()
      let round = Round(bulk: bulk, floor: try await floor.run(skipping: first, expected: options.leads, &checks))
      console.progress(
        "round \(number + 1): \(fixed(round.bulk.perSecond, 0)) leads/s, floor \(fixed(round.floor.perSecond, 0)), "
          + "ratio \(fixed(round.ratio, 2))")
      rounds.append(round)
    }
    try await floor.drop()
    await stack.dropOwnDatabase(mongo)
    await mongo.close()
    return (rounds, running.broker, checks)
  }

  private func report(_ rounds: [Round], _ broker: String, _ machine: Machine) -> [String] {
    let median = rounds.sorted { $0.bulk.perSecond < $1.bulk.perSecond }[rounds.count / 2]
    let ratios = rounds.map(\.ratio).sorted()
    let cpu = median.bulk.uses.map { use in
      let floor = median.floor.uses.first { $0.name == use.name }
      return ["  \(use.name)", each(use), floor.map { each($0) } ?? ""]
    }
    let machines = [median.bulk.machine, median.floor.machine]
    return [
      "MiniCRM \(ProductVersion.current) bulk, commit \(machine.commit ?? "unknown"), \(rounds.count) rounds of "
        + "\(grouped(options.leads)) leads, \(BulkLeads.batch) a request, \(BulkLeads.concurrency) at a time",
      "  \(machine.cores) cores (\(machine.model)), \(machine.memoryGB) GB, \(machine.kernel); broker: \(broker)",
      "",
    ]
      + aligned([
        ["", "bulk", "raw insert", "ratio"],
        [
          "leads/s, median round", fixed(median.bulk.perSecond, 0), fixed(median.floor.perSecond, 0),
          fixed(median.ratio, 2),
        ],
        ["median of the ratios", "", "", fixed(ratios[ratios.count / 2], 2)],
      ])
      + rounds.map {
        "    \(fixed($0.bulk.perSecond, 0)) of \(fixed($0.floor.perSecond, 0)): \(fixed($0.ratio, 2))"
      }
      + [""] + aligned([["CPU µs a lead, median round", "bulk", "raw insert"]] + cpu)
      + [
        "machine busy: bulk \(fixed(machines[0].busy * 100, 0)) % (\(fixed(machines[0].others * 100, 0)) % by others), "
          + "raw insert \(fixed(machines[1].busy * 100, 0)) % (\(fixed(machines[1].others * 100, 0)) % by others)"
      ] + (options.profiles ? ["Profiled by perf meanwhile: the figures are lower for it."] : [])
  }

  private func each(_ use: ProcessUse) -> String { fixed(use.cpuSeconds * 1e6 / Double(options.leads), 1) }
}
