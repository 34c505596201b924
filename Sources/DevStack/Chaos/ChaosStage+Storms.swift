import BSON
import Foundation
import JSON
import Mongo

/// The scenarios that go in rounds.
extension ChaosStage {
  /// Rounds of weather; every round is audited by itself, the ledger at the end as a whole.
  func storms(_ weather: Storm.Weather) async throws {
    for round in 1...options.rounds {
      var weather = weather
      if options.failpointsOnly { weather.signals = false }
      let before = world.fleet.deaths.count
      let began = ContinuousClock.now
      let storm = Storm(
        world: world, campaigns: campaigns, auditor: auditor, findings: findings, options: options,
        label: "round \(round)", weather: weather)
      try await storm.run()
      let kills = world.fleet.deaths[before...].filter(\.isKill).count
      let seconds = Int(began.duration(to: .now) / .seconds(1))
      terminal.line(
        "  round \(round): \(kills) kills, \(findings.tally.runs) runs so far, \(findings.violations.count) violations, \(seconds) s"
      )
    }
    try await auditor.auditLedger()
  }

  /// Duplicates are 0 without keys, too; what a dying worker had in hand is UNKNOWN, and no more than that.
  func keyless() async throws {
    try await world.api.behave(["honour_idempotency_key": false])
    let fleet = world.fleet
    let before = (unknown: findings.tally.unknown, deaths: fleet.deaths.count, stops: fleet.stops.count)
    var weather = Storm.Weather()
    weather.vendor = false
    try await storms(weather)
    let unknown = findings.tally.unknown - before.unknown
    // A worker that stands still for longer than its leases is as good as dead.
    let troubled = fleet.deaths[before.deaths...].map(\.member) + fleet.stops[before.stops...]
    let workers = troubled.filter { fleet.executable(of: $0) == "send-worker" }.count
    let vendors = troubled.filter { fleet.executable(of: $0) == "vendor-sim" }.count
    // A vendor leaves the calls of all workers undecided, a worker its own.
    let bound = (workers + vendors * world.setting.replicas) * ChaosWorld.claimsInHand
    findings.note(
      "keyless: \(unknown) UNKNOWN over \(workers) deaths and stops of send workers and \(vendors) of the vendor, at most \(bound)"
    )
    if unknown > bound { findings.violated("2: \(unknown) sends are UNKNOWN, more than \(bound)") }
  }

  /// A storm while primaries fall.
  func elections() async throws {
    let falling = Task {
      var random = SeededRandom(seed: options.seed, "elections")
      while !Task.isCancelled {
        try await Task.sleep(for: .seconds(Int.random(in: 5...12, using: &random)))
        guard let primary = try? await primary() else { continue }
        if random.chance(0.5) {
          try world.fleet.signal(primary, SIGKILL)
        } else {
          _ = try? await world.mongo.withConnection {
            try $0.command(["replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2], database: "admin")
          }
        }
      }
    }
    var weather = Storm.Weather()
    weather.meanInterval = 1500
    do { try await storms(weather) } catch {
      falling.cancel()
      throw error
    }
    falling.cancel()
    _ = try? await falling.value
  }

  /// The fleet's name of the mongod that is primary.
  func primary() async throws -> String {
    let hello = try await world.mongo.withConnection { try $0.command(["hello": 1], database: "admin") }
    guard let address = hello["primary"]?.stringValue, let hosts = hello["hosts"]?.arrayValue,
      let index = hosts.firstIndex(where: { $0.stringValue == address })
    else { throw StackError("the replica set has no primary") }
    return ChaosServers.mongodName(index)
  }
}
