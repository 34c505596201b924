/// A named way to disturb the product.
struct ChaosScenario: Sendable {
  let name: String
  let summary: String
  var setting = ChaosSetting()
  /// - Throws: what keeps the scenario from being played; what the product does wrong goes into the findings.
  let play: @Sendable (ChaosStage) async throws -> Void

  static let all: [ChaosScenario] = [
    ChaosScenario(
      name: "storm", summary: "failpoints, random signals, vendor misbehaviour and poison, in rounds"
    ) { stage in try await stage.storms(Storm.Weather()) },
    ChaosScenario(
      name: "keyless", summary: "a storm of deaths before a vendor that knows no idempotency keys",
      setting: ChaosSetting(isKeyless: true)
    ) { stage in try await stage.keyless() },
    ChaosScenario(
      name: "elections", summary: "a storm over three mongods whose primary is killed or steps down",
      setting: ChaosSetting(mongods: 3)
    ) { stage in try await stage.elections() },
    ChaosScenario(name: "broker-down", summary: "the broker is killed and stays down for 60 s") { stage in
      try await stage.brokerDown()
    },
    ChaosScenario(
      name: "primary-killed", summary: "MongoDB's primary is killed and stays down for 20 s",
      setting: ChaosSetting(mongods: 3)
    ) { stage in try await stage.primaryKilled() },
    ChaosScenario(name: "vendor-out", summary: "the vendor answers 503 for 60 s") { stage in try await stage.vendorOut()
    },
    ChaosScenario(name: "frozen-worker", summary: "each send worker is frozen for twice its lease and thawed") {
      stage in
      try await stage.frozenWorker()
    },
    ChaosScenario(name: "double-run", summary: "two launches of one campaign at once make one run") { stage in
      try await stage.doubleRun()
    },
    ChaosScenario(name: "pause-resume-cancel", summary: "a pause stops, a resume completes, a cancel ends") { stage in
      try await stage.pauseResumeCancel()
    },
    ChaosScenario(name: "dropped-topic", summary: "the topic of the sends is deleted with what is on it") { stage in
      try await stage.droppedTopic()
    },
    ChaosScenario(
      name: "rate-limit", summary: "no minute holds more sends than its limit, whoever dies",
      setting: ChaosSetting(settings: ["RATE_LIMIT_PER_MINUTE": "1200"])
    ) { stage in try await stage.rateLimit() },
    ChaosScenario(
      name: "disk-full", summary: "the vendor's disk fills up, then MongoDB's, each for a while (needs root)",
      setting: ChaosSetting(hasSmallDisks: true)
    ) { stage in try await stage.diskFull() },
    ChaosScenario(name: "clock-skew", summary: "one worker of each kind is an hour late, or early") { stage in
      try await stage.clockSkew()
    },
    ChaosScenario(
      name: "poison", summary: "1 % of the send jobs cannot be read; mended, they are replayed twice",
      setting: ChaosSetting(settings: [
        "SWEEP_AFTER_S": "900", "CHUNK_SIZE": "1000", "SEND_BATCH": "500", "SEND_CONCURRENCY": "128",
        "MERGE_BATCH": "1000",
      ])
    ) {
      stage in
      try await stage.poison()
    },
  ]
}
