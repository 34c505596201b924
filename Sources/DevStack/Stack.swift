import Crypto
import Foundation
import Kafka

/// A stack that is up: what a client must know to use it.
struct RunningStack: Sendable {
  let baseURL: String
  let vendorURL: String
  let mongodbURI: String
  let database: String
  let brokers: String
  let webhookSecret: String
  let processes: [StackProcess]

  /// Of every process of the product, in the order of their start.
  var opsURLs: [String] { processes.compactMap(\.url) }

  var environment: [(key: String, value: String)] {
    [
      ("BASE_URL", baseURL), ("VENDOR_URL", vendorURL), ("MONGODB_URI", mongodbURI), ("MONGODB_DB_NAME", database),
      ("KAFKA_BROKERS", brokers), ("RECEIPT_WEBHOOK_SECRET", webhookSecret),
      ("OPS_URLS", opsURLs.joined(separator: " ")),
    ]
  }
}

/// Starts MongoDB, a broker and the product's processes, in this order, and knows how to stop them.
struct Stack: Sendable {
  let directory: StackDirectory
  /// The caller's; the processes inherit it.
  let environment: [String: String]
  /// Where the product's executables are: beside this one.
  let binaries: URL
  let terminal: Terminal

  private static let readyLimit: Duration = .seconds(90)

  init(directory: StackDirectory, environment: [String: String], terminal: Terminal) {
    self.directory = directory
    self.environment = environment
    self.terminal = terminal
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    binaries = URL(fileURLWithPath: own).deletingLastPathComponent()
  }

  /// Starts everything and waits until every process is ready.
  ///
  /// When it throws, what was started is in the process table still; `stop` ends it.
  func start() async throws -> RunningStack {
    try directory.prepare()
    var ports = PortPlan(environment: environment)
    let plan = try planServices(&ports)
    let mongo = try await startMongo(&ports)
    let brokers = try await startBroker(&ports)

    let vendorURL =
      setting("VENDOR_SIMULATOR_URL") ?? plan.first { $0.kind.executable == ServiceKind.vendor.executable }?.url
    guard let vendorURL, let gateway = plan.first(where: { $0.kind.executable == ServiceKind.gateway.executable })
    else { throw StackError("a stack needs at least one gateway") }
    let settings = try serviceSettings(mongo: mongo, brokers: brokers, vendorURL: vendorURL, gatewayURL: gateway.url)

    for service in plan { try start(service, settings: settings) }
    let probe = try HTTPProbe()
    do {
      for service in plan { try await waitUntilReady(service, probe) }
    } catch {
      await probe.close()
      throw error
    }
    await probe.close()

    let running = RunningStack(
      baseURL: gateway.url, vendorURL: vendorURL, mongodbURI: mongo.uri,
      database: settings["MONGODB_DB_NAME"] ?? Self.defaultDatabase, brokers: brokers,
      webhookSecret: settings["RECEIPT_WEBHOOK_SECRET"] ?? "",
      processes: directory.table.alive().filter { $0.name != ProcessTable.supervisor })
    try directory.writeEnv(running.environment)
    return running
  }

  /// Stops everything that the process table knows, but this process, and forgets it.
  func stop() async throws {
    let own = getpid()
    let processes = directory.table.alive().filter { $0.pid != own }
    let killed = await Stopping.stop(processes)
    for name in killed { terminal.line("\(name) did not stop within \(Stopping.grace) and was killed") }
    try directory.table.clear()
    try? FileManager.default.removeItem(at: directory.env)
  }

  static let defaultDatabase = "mini_crm"

  private func setting(_ name: String) -> String? {
    environment[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  // MARK: Servers

  private func startMongo(_ ports: inout PortPlan) async throws -> MongoServer {
    if let uri = setting("MONGODB_URI") {
      terminal.line("MongoDB: \(MongoServer.withoutCredentials(uri)) (MONGODB_URI)")
      return try await MongoServer.given(uri)
    }
    let binary = try MongoServer.binary(environment: environment)
    let (port, remark) = try ports.take(for: "mongod", setting: "MONGOD_PORT", usual: 27_017)
    if let remark { terminal.line(remark) }
    try FileManager.default.createDirectory(at: directory.mongo, withIntermediateDirectories: true)
    let arguments = MongoServer.arguments(port: port, data: directory.mongo, environment: environment)
    let process = try spawn("mongod", binary, arguments)
    do {
      let server = try await MongoServer.initiate(port: port) { process.isAlive }
      terminal.line("MongoDB: \(server.description) (\(binary), data in \(directory.mongo.path))")
      return server
    } catch let error as StackError {
      throw StackError("\(error)\n\(directory.tail("mongod"))")
    }
  }

  private func startBroker(_ ports: inout PortPlan) async throws -> String {
    let choice = BrokerChoice(environment: environment)
    let address: String
    switch choice {
    case .given(let brokers): address = brokers
    case .embedded: address = try await startEmbeddedBroker()
    case .apacheKafka(let home): address = try await startApacheKafka(home: home, &ports)
    }
    terminal.line("broker: \(choice.description(at: address))")
    let admin = try KafkaAdmin(brokers: address, clientID: "devstack")
    do {
      try await Poll.until("the broker at \(address)", within: Self.readyLimit) {
        try failIfEnded("broker")
        return (try? await admin.ping(timeout: .seconds(2))).map { true }
      }
    } catch {
      await admin.close()
      throw error
    }
    await admin.close()
    return address
  }

  private func startEmbeddedBroker() async throws -> String {
    let own = binaries.appending(path: "devstack").path
    _ = try spawn("broker", own, ["broker", "--address-file", directory.brokerAddress.path])
    return try await Poll.until("the embedded broker", within: .seconds(30)) {
      try failIfEnded("broker")
      return try? String(contentsOf: directory.brokerAddress, encoding: .utf8)
    }
  }

  private func startApacheKafka(home: URL, _ ports: inout PortPlan) async throws -> String {
    let java = try ApacheKafka.java(environment: environment)
    let (port, remark) = try ports.take(for: "the broker", setting: "KAFKA_PORT", usual: 19_092)
    if let remark { terminal.line(remark) }
    let controller = try ports.take(for: "the broker's controller", setting: nil, usual: nil).port
    let kafka = ApacheKafka(home: home, data: directory.kafka, port: port, controllerPort: controller)
    try kafka.writeProperties()
    if !kafka.isFormatted {
      let format = try spawn("broker", java, kafka.formatArguments(), listed: false)
      guard await Stopping.waitUntilGone([format], within: .seconds(60)), kafka.isFormatted else {
        kill(format.pid, SIGKILL)
        throw StackError("Kafka's data directory could not be formatted\n\(directory.tail("broker"))")
      }
    }
    _ = try spawn("broker", java, kafka.brokerArguments(environment: environment))
    return "127.0.0.1:\(port)"
  }

  // MARK: The product's processes

  private func planServices(_ ports: inout PortPlan) throws -> [PlannedService] {
    var plan: [PlannedService] = []
    for kind in ServiceKind.all {
      if kind.executable == ServiceKind.vendor.executable, let url = setting("VENDOR_SIMULATOR_URL") {
        terminal.line("vendor: \(url) (VENDOR_SIMULATOR_URL)")
        continue
      }
      let replicas = try kind.replicas(environment: environment)
      guard FileManager.default.isExecutableFile(atPath: binaries.appending(path: kind.executable).path) else {
        throw StackError("\(binaries.path) has no \(kind.executable): swift build")
      }
      for replica in 0..<replicas {
        let name = kind.name(replica: replica + 1)
        let (port, remark) = try ports.take(
          for: name, setting: replica == 0 ? kind.portSetting : nil, usual: replica == 0 ? kind.usualPort : nil)
        if let remark { terminal.line(remark) }
        plan.append(PlannedService(kind: kind, name: name, port: port))
      }
    }
    return plan
  }

  /// What is given to every process on top of the caller's environment.
  private func serviceSettings(
    mongo: MongoServer, brokers: String, vendorURL: String, gatewayURL: String
  ) throws -> [String: String] {
    // Everything here is this machine's own: nobody need say who he is as long as nobody else can call.
    let authMode = setting("AUTH_MODE") ?? "off"
    return [
      "AUTH_MODE": authMode,
      "HOST": setting("HOST") ?? (authMode == "off" ? "127.0.0.1" : "0.0.0.0"),
      "API_RATE_PER_MINUTE": setting("API_RATE_PER_MINUTE") ?? "0",
      "API_RATE_PER_ADDRESS": setting("API_RATE_PER_ADDRESS") ?? "0",
      "MONGODB_URI": mongo.uri,
      "MONGODB_DB_NAME": setting("MONGODB_DB_NAME") ?? Self.defaultDatabase,
      "KAFKA_BROKERS": brokers,
      "VENDOR_SIMULATOR_URL": vendorURL,
      "RECEIPT_URL": setting("RECEIPT_URL") ?? "\(gatewayURL)/api/v1/delivery/receipt",
      "RECEIPT_WEBHOOK_SECRET": setting("RECEIPT_WEBHOOK_SECRET") ?? "whsec_" + randomText(bytes: 32),
      "LEDGER_PATH": setting("LEDGER_PATH") ?? directory.ledger.path,
    ]
  }

  private func randomText(bytes count: Int) -> String { Data(randomBytes(count)).base64EncodedString() }

  private func start(_ service: PlannedService, settings: [String: String]) throws {
    var environment = settings
    environment["PORT"] = "\(service.port)"
    _ = try spawn(
      service.name, binaries.appending(path: service.kind.executable).path, [], adding: environment, url: service.url)
  }

  private func waitUntilReady(_ service: PlannedService, _ probe: HTTPProbe) async throws {
    try await Poll.until("\(service.name) to become ready (\(service.url)/ready)", within: Self.readyLimit) {
      try failIfEnded(service.name)
      return await probe.isReady(service.url) ? true : nil
    }
    let padding = String(repeating: " ", count: max(0, 20 - service.name.count))
    terminal.line("  \(service.name)\(padding)\(service.url)")
  }

  // MARK: Children

  /// Starts a process, its output going to its log, and lists it so that it can be stopped.
  private func spawn(
    _ name: String, _ executable: String, _ arguments: [String], adding: [String: String] = [:], url: String? = nil,
    listed: Bool = true
  ) throws -> StackProcess {
    let pid = try ChildProcess.start(
      executable, arguments, environment: environment.merging(adding) { $1 }, log: directory.log(name))
    // A child that has ended already has no start time; 0 is never that of a living process, so it counts as gone.
    let process = StackProcess(name: name, pid: pid, startTicks: StackProcess.startTicks(of: pid) ?? 0, url: url)
    if listed { try directory.table.add(process) }
    return process
  }

  private func failIfEnded(_ name: String) throws {
    guard let process = directory.table.all().first(where: { $0.name == name }), !process.isAlive else { return }
    ChildProcess.reap(process.pid)
    throw StackError("\(name) ended; \(directory.log(name).path):\n\(directory.tail(name))")
  }

  /// The processes that have ended though nobody asked them to.
  func ended() -> [StackProcess] {
    directory.table.all().filter { !$0.isAlive }
  }
}
