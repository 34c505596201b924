import Foundation

/// `devstack chaos`: kills a running stack in every way and judges what it has done.
struct ChaosCommand: Sendable {
  let options: ChaosOptions
  let directory: StackDirectory
  /// The caller's.
  let environment: [String: String]
  let terminal: Terminal
  let binaries: URL

  init(_ options: ChaosOptions, directory: StackDirectory, environment: [String: String], terminal: Terminal) {
    self.options = options
    self.directory = directory
    // Arms and faults are the harness's own to hand out.
    self.environment = environment.filter { !["FAILPOINT", "FAULT", "CLOCK_SKEW_S", "PORT"].contains($0.key) }
    self.terminal = terminal
    binaries = Stack(directory: directory, environment: environment, terminal: terminal).binaries
  }

  /// - Returns: whether every invariant holds.
  func run() async throws -> Bool {
    switch options.mode {
    case .list:
      try await list()
      return true
    case .selftest:
      return try await Interruption.cancelling { try await ChaosSelftest(command: self).run() }
    case .scenarios:
      return try await Interruption.cancelling { try await runScenarios() }
    }
  }

  private func list() async throws {
    for point in try await FailpointCatalogue.read(binaries: binaries).points {
      terminal.line("\(point.name)  [\(point.executables.joined(separator: ", "))]  \(point.meaning)")
    }
    terminal.line()
    for scenario in ChaosScenario.all { terminal.line("\(scenario.name)  \(scenario.summary)") }
  }

  private func runScenarios() async throws -> Bool {
    let began = ContinuousClock.now
    let findings = Findings()
    let chosen = ChaosScenario.all.filter {
      options.scenarios.isEmpty ? $0.name == "storm" : options.scenarios.contains($0.name)
    }
    var deaths: [Death] = []
    var points: [FailpointCatalogue.Point] = []
    var broker = ""
    terminal.line("chaos: seed \(options.seed), \(chosen.map(\.name).joined(separator: ", "))")
    for scenario in chosen {
      var setting = scenario.setting
      setting.leads = max(setting.leads, options.leads)
      let world = try await start(setting)
      points = world.points.points
      broker = world.brokerIsReal ? "Apache Kafka" : "embedded"
      do {
        try await scenario.play(try await ChaosStage(command: self, world: world, findings: findings))
      } catch is CancellationError {
        await world.stop()
        throw CancellationError()
      } catch {
        findings.violated("\(scenario.name) could not be played to its end: \(error)")
      }
      deaths += world.fleet.deaths
      await world.stop()
      terminal.line("chaos: \(scenario.name): \(findings.violations.count) violations so far")
    }
    for death in deaths {
      if case .byItself(let code) = death.cause, code < 0, !death.member.hasPrefix("mongod") {
        findings.violated("\(death.member) crashed with signal \(-code)")
      }
    }
    let report = ChaosReport(
      options: options, scenarios: chosen.map(\.name), broker: broker, points: points, deaths: deaths,
      findings: findings, seconds: began.duration(to: .now) / .seconds(1))
    terminal.line(report.text)
    if let results = options.results { terminal.line("written to \(try report.write(into: results))") }
    return report.isRight
  }

  func start(_ setting: ChaosSetting) async throws -> ChaosWorld {
    try await ChaosWorld.start(
      setting, in: directory, environment: environment, binaries: binaries, terminal: terminal)
  }
}

/// What a scenario plays on.
struct ChaosStage: Sendable {
  let world: ChaosWorld
  let findings: Findings
  let auditor: Auditor
  let campaigns: ChaosCampaigns
  let options: ChaosOptions
  let terminal: Terminal

  init(command: ChaosCommand, world: ChaosWorld, findings: Findings) async throws {
    self.world = world
    self.findings = findings
    auditor = Auditor(world, findings)
    campaigns = try await ChaosCampaigns.prepare(world)
    options = command.options
    terminal = command.terminal
  }
}
