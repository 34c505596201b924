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
  }

  /// Duplicates are 0 without keys, too; what a dying worker had in hand is UNKNOWN, and no more than that.
  func keyless() async throws {
    try await world.api.behave(["honour_idempotency_key": false])
    let before = (findings.tally.unknown, world.fleet.deaths.count)
    var weather = Storm.Weather()
    weather.vendor = false
    try await storms(weather)
    let unknown = findings.tally.unknown - before.0
    let deaths = world.fleet.deaths[before.1...].filter {
      ["send-worker", "vendor-sim"].contains(world.fleet.executable(of: $0.member))
    }.count
    findings.note("keyless: \(unknown) UNKNOWN over \(deaths) deaths of send workers and vendor")
    let bound = deaths * ChaosWorld.claimsInHand * world.setting.replicas
    if unknown > bound {
      findings.violated("2: \(unknown) sends are UNKNOWN after \(deaths) deaths, more than \(bound)")
    }
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
