import CRMMessaging
import CRMStore
import Crypto
import Foundation
import JSON
import Kafka
import Mongo
import Runtime

/// What a scenario asks of the stack that it runs on.
struct ChaosSetting: Sendable {
  var mongods = 1
  /// Replicas of each worker and of the gateway.
  var replicas = 2
  /// Settings of every process on top of `ChaosWorld.settings`.
  var settings: [String: String] = [:]
  /// A seeded fault of the processes whose executable is named.
  var fault: String?
  var leads = 2000
  /// The workers know that the vendor honours no idempotency keys.
  var isKeyless = false
  /// The database and the vendor's ledger lie on disks of their own, which can be filled.
  var hasSmallDisks = false
}

/// A running stack of real processes, the ways to disturb it, and the oracles that judge it.
final class ChaosWorld: Sendable {
  let fleet: Fleet
  let mongo: MongoClient
  let store: Store
  let api: ChaosAPI
  let admin: KafkaAdmin
  let producer: KafkaProducer
  let evidence: EvidenceLog
  let ledger: LedgerTail
  let points: FailpointCatalogue
  let setting: ChaosSetting
  let brokers: String
  /// The broker survives being killed; the embedded one loses everything.
  let brokerIsReal: Bool
  let environment: [String: String]
  /// Of the database, and of the ledger.
  let disks: [SmallDisk]

  static let groupPrefix = "minicrm"
  /// Calls that a worker has in hand at most: three batches are handled at once.
  static let claimsInHand = 60

  /// Short leases and time-outs, small batches: recovery is quick, and each campaign passes every point often.
  static let settings: [String: String] = [
    "SEND_TIMEOUT_MS": "1000", "CLAIM_LEASE_S": "4", "SWEEP_AFTER_S": "2", "SWEEP_INTERVAL_MS": "300",
    "SWEEP_LEASE_S": "2", "LAUNCH_LEASE_S": "2", "RETRY_BASE_MS": "50", "RETRY_CAP_MS": "1000",
    "SEND_MAX_ATTEMPTS": "20", "INQUIRY_INTERVAL_MS": "500", "SENT_ASK_AFTER_S": "15", "CHUNK_SIZE": "100",
    "SEND_BATCH": "20", "SEND_CONCURRENCY": "64",
    "MERGE_BATCH": "100", "MONGODB_POOL_SIZE": "6", "RATE_LIMIT_PER_MINUTE": "0",
    "AUTH_MODE": "off", "HOST": "127.0.0.1", "API_RATE_PER_ADDRESS": "0", "HANDLER_TIMEOUT_S": "3",
    "KAFKA_TOPIC_PARTITIONS": "6",
    // A process that crashes by itself says where.
    "SWIFT_BACKTRACE": "enable=yes,color=no,threads=crashed,limit=32",
  ]

  private init(
    fleet: Fleet, mongo: MongoClient, api: ChaosAPI, admin: KafkaAdmin, producer: KafkaProducer,
    evidence: EvidenceLog, ledger: LedgerTail, points: FailpointCatalogue, setting: ChaosSetting, brokers: String,
    brokerIsReal: Bool, environment: [String: String], disks: [SmallDisk]
  ) {
    self.fleet = fleet
    self.mongo = mongo
    store = Store(mongo: mongo, clock: SystemClock())
    self.api = api
    self.admin = admin
    self.producer = producer
    self.evidence = evidence
    self.ledger = ledger
    self.points = points
    self.setting = setting
    self.brokers = brokers
    self.brokerIsReal = brokerIsReal
    self.environment = environment
    self.disks = disks
  }

  /// Starts everything in a directory of its own, on empty servers, and waits until it is ready.
  static func start(
    _ setting: ChaosSetting, in directory: StackDirectory, environment: [String: String], binaries: URL,
    terminal: Terminal
  ) async throws -> ChaosWorld {
    try await directory.occupy(terminal)
    try directory.erase()
    try directory.prepare()
    let points = try await FailpointCatalogue.read(binaries: binaries)
    let fleet = try Fleet(directory: directory, environment: environment)
    fleet.open()
    var disks: [SmallDisk] = []
    do {
      if setting.hasSmallDisks {
        disks.append(try await SmallDisk.mount(directory.mongo, megabytes: 600))
        disks.append(try await SmallDisk.mount(directory.root.appending(path: "vendor"), megabytes: 16))
      }
      return try await start(setting, fleet, points, environment: environment, binaries: binaries, disks: disks)
    } catch {
      await fleet.close()
      for disk in disks { await disk.unmount() }
      throw error
    }
  }

  private static func start(
    _ setting: ChaosSetting, _ fleet: Fleet, _ points: FailpointCatalogue, environment: [String: String], binaries: URL,
    disks: [SmallDisk]
  ) async throws -> ChaosWorld {
    let directory = fleet.directory
    var ports = ChaosPorts()
    let servers = ChaosServers(fleet: fleet, directory: directory, environment: environment)
    let uri = try await servers.startMongo(members: setting.mongods, &ports)
    let (brokers, isReal) = try await servers.startBroker(&ports)
    let admin = try KafkaAdmin(brokers: brokers, clientID: "chaos")
    try await Poll.until("the broker", within: .seconds(180)) {
      (try? await admin.ping(timeout: .seconds(2))).map { true }
    }
    var settings = Self.settings
    settings["MONGODB_URI"] = uri
    settings["KAFKA_BROKERS"] = brokers
    settings["KAFKA_SESSION_TIMEOUT_MS"] = isReal ? "2500" : "4500"
    settings["RECEIPT_WEBHOOK_SECRET"] = "whsec_" + Data(randomBytes(32)).base64EncodedString()
    let ledger = disks.last.map { $0.path.appending(path: "ledger.ndjson") } ?? directory.ledger
    settings["LEDGER_PATH"] = ledger.path
    settings["FAULT"] = setting.fault
    settings.merge(setting.settings) { $1 }

    let vendorPort = try ports.take()
    let gatewayPorts = try (0..<setting.replicas).map { _ in
      try ports.take()
    }
    settings["VENDOR_SIMULATOR_URL"] = "http://127.0.0.1:\(vendorPort)"
    if setting.isKeyless { settings["VENDOR_HONOURS_KEYS"] = "false" }
    settings["RECEIPT_URL"] = "http://127.0.0.1:\(gatewayPorts[0])/api/v1/delivery/receipt"

    func add(_ executable: String, _ index: Int, port: Int) throws {
      let url = "http://127.0.0.1:\(port)"
      try fleet.add(
        FleetMember(
          name: "\(executable)-\(index + 1)", executable: binaries.appending(path: executable).path,
          environment: settings.merging(["PORT": "\(port)"]) { $1 }, url: url))
    }
    try add("vendor-sim", 0, port: vendorPort)
    // One process makes collections and topics before the others come, so that their starts are alike.
    try add("api-gateway", 0, port: gatewayPorts[0])
    try await fleet.waitUntilReady(["vendor-sim-1", "api-gateway-1"])
    for index in 1..<max(1, setting.replicas) { try add("api-gateway", index, port: gatewayPorts[index]) }
    for executable in ["job-expander", "send-worker", "receipt-aggregator"] {
      for index in 0..<setting.replicas {
        try add(executable, index, port: try ports.take())
      }
    }
    try add("ingest-worker", 0, port: try ports.take())
    try await fleet.waitUntilReady(fleet.names)

    var configuration = MongoClient.Configuration(uri: uri, database: Stack.defaultDatabase)
    configuration.poolSize = 4
    configuration.applicationName = "chaos"
    configuration.serverSelectionTimeoutMS = 2000
    let evidence = try EvidenceLog(brokers: brokers)
    try evidence.start()
    return ChaosWorld(
      fleet: fleet, mongo: try MongoClient(configuration),
      api: try ChaosAPI(
        gateways: gatewayPorts.map { "http://127.0.0.1:\($0)" }, vendor: "http://127.0.0.1:\(vendorPort)"),
      admin: admin, producer: try KafkaProducer(.init(brokers: brokers, clientID: "chaos")), evidence: evidence,
      ledger: LedgerTail(path: ledger.path), points: points, setting: setting, brokers: brokers,
      brokerIsReal: isReal, environment: environment, disks: disks)
  }

  func stop() async {
    await evidence.close()
    await api.close()
    await producer.close(timeoutMS: 1000)
    await fleet.close()
    await admin.close()
    await mongo.close()
    for disk in disks { await disk.unmount() }
  }

  /// The members that may be killed at random: the product's, not the servers below it.
  var victims: [String] { fleet.names.filter { fleet.url(of: $0) != nil } }
}

/// Which failpoints the built executables have, as they tell it themselves.
struct FailpointCatalogue: Sendable {
  struct Point: Sendable {
    let name: String
    let meaning: String
    var executables: [String]
  }

  let points: [Point]

  static let executables = ["api-gateway", "job-expander", "send-worker", "receipt-aggregator", "ingest-worker"]

  func names(in executable: String) -> [String] {
    points.filter { $0.executables.contains(executable) }.map(\.name)
  }

  /// - Throws: `StackError` for executables that were built without failpoints.
  static func read(binaries: URL) async throws -> FailpointCatalogue {
    var points: [Point] = []
    for executable in executables {
      let file = FileManager.default.temporaryDirectory.appending(path: "points-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: file) }
      let path = binaries.appending(path: executable).path
      let pid = try ChildProcess.start(
        path, ["--failpoints"], environment: ProcessInfo.processInfo.environment, log: file)
      let process = StackProcess(
        name: executable, pid: pid, startTicks: StackProcess.startTicks(of: pid) ?? 0, url: nil)
      guard await Stopping.waitUntilGone([process], within: .seconds(20)) else {
        kill(pid, SIGKILL)
        throw StackError("\(path) --failpoints does not end")
      }
      let lines = ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(separator: "\n")
        .map { $0.split(separator: "\t", maxSplits: 1) }.filter { $0.count == 2 }
      guard !lines.isEmpty else {
        throw StackError("\(path) was built without failpoints: use a debug build, or MINICRM_FAILPOINTS=1")
      }
      for line in lines {
        if let known = points.firstIndex(where: { $0.name == line[0] }) {
          points[known].executables.append(executable)
        } else {
          points.append(Point(name: String(line[0]), meaning: String(line[1]), executables: [executable]))
        }
      }
    }
    return FailpointCatalogue(points: points)
  }
}
