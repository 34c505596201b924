import Foundation
import Testing

@testable import DevStack

/// A stack directory of its own, removed afterwards.
private func withDirectory<T>(_ body: (StackDirectory) async throws -> T) async throws -> T {
  let root = FileManager.default.temporaryDirectory.appending(path: "devstack-\(UUID().uuidString)")
  let directory = StackDirectory(path: root.path)
  try FileManager.default.createDirectory(at: directory.logs, withIntermediateDirectories: true)
  do {
    let result = try await body(directory)
    try FileManager.default.removeItem(at: root)
    return result
  } catch {
    try? FileManager.default.removeItem(at: root)
    throw error
  }
}

/// Starts a shell command as the stack starts its processes.
private func start(_ name: String, _ command: String, _ directory: StackDirectory) throws -> StackProcess {
  let pid = try ChildProcess.start(
    "/bin/sh", ["-c", command], environment: ["GREETING": "hello"], log: directory.log(name))
  return StackProcess(name: name, pid: pid, startTicks: StackProcess.startTicks(of: pid) ?? 0, url: nil)
}

@Suite("Supervision")
struct SupervisionTests {
  @Test func aChildHasItsOwnSessionItsEnvironmentAndALog() async throws {
    try await withDirectory { directory in
      let child = try start("child", "echo $GREETING; echo trouble >&2; exec sleep 30", directory)
      try await Poll.until("its log", within: .seconds(10), every: .milliseconds(10)) {
        directory.tail("child").contains("trouble") ? true : nil
      }
      #expect(directory.tail("child") == "  hello\n  trouble")
      #expect(getsid(child.pid) == child.pid)
      #expect(child.isAlive)
      #expect(await Stopping.stop([child]).isEmpty)
      #expect(!child.isAlive)
    }
  }

  @Test func anExecutableThatIsNotThereIsAnErrorWithItsName() throws {
    let log = FileManager.default.temporaryDirectory.appending(path: "unused.log")
    let error = try #require(throws: SpawnError.self) {
      try ChildProcess.start("/no/such/program", [], environment: [:], log: log)
    }
    #expect(error.description.contains("/no/such/program"))
  }

  @Test func aProcessThatIgnoresSIGTERMIsKilledInTheEnd() async throws {
    try await withDirectory { directory in
      let child = try start("stubborn", "trap '' TERM; echo ready; while :; do sleep 0.05; done", directory)
      try await Poll.until("its trap", within: .seconds(10), every: .milliseconds(10)) {
        directory.tail("stubborn").contains("ready") ? true : nil
      }
      #expect(await Stopping.stop([child], grace: .milliseconds(300)) == ["stubborn"])
      #expect(!child.isAlive)
    }
  }

  @Test func aPidThatBelongsToSomebodyElseNowIsNotOurs() throws {
    let own = try #require(StackProcess.startTicks(of: getpid()))
    #expect(StackProcess(name: "x", pid: getpid(), startTicks: own, url: nil).isAlive)
    #expect(!StackProcess(name: "x", pid: getpid(), startTicks: own + 1, url: nil).isAlive)
  }

  @Test func theTableRemembersWhatItWasTold() async throws {
    try await withDirectory { directory in
      let mongod = StackProcess(name: "mongod", pid: 11, startTicks: 7, url: nil)
      let gateway = StackProcess(name: "api-gateway", pid: 12, startTicks: 8, url: "http://127.0.0.1:3000")
      try directory.table.add(mongod)
      try directory.table.add(gateway)
      #expect(directory.table.all() == [mongod, gateway])
      try directory.table.remove(name: "mongod")
      #expect(directory.table.all() == [gateway])
    }
  }

  @Test func aSecondStackInTheSameDirectoryIsRefused() async throws {
    try await withDirectory { directory in
      let child = try start("api-gateway", "exec sleep 30", directory)
      try directory.table.add(child)
      await #expect(throws: StackError.self) { try await directory.occupy(Terminal()) }
      #expect(child.isAlive)
      _ = await Stopping.stop([child])
    }
  }

  @Test func whatAKilledSupervisorLeftBehindIsStopped() async throws {
    try await withDirectory { directory in
      let child = try start("api-gateway", "exec sleep 30", directory)
      let gone = StackProcess(name: ProcessTable.supervisor, pid: child.pid, startTicks: 1, url: nil)
      try directory.table.add(gone)
      try directory.table.add(child)
      try await directory.occupy(Terminal())
      #expect(!child.isAlive)
      #expect(directory.table.alive().map(\.pid) == [getpid()])
    }
  }

  @Test func erasingKeepsWhatIsNotOurs() async throws {
    try await withDirectory { directory in
      let notes = directory.root.appending(path: "notes.txt")
      try "mine".write(to: notes, atomically: true, encoding: .utf8)
      try FileManager.default.createDirectory(at: directory.mongo, withIntermediateDirectories: true)
      try directory.erase()
      #expect(FileManager.default.fileExists(atPath: notes.path))
      #expect(!FileManager.default.fileExists(atPath: directory.mongo.path))
    }
  }
}

@Suite("Settings of a stack")
struct StackSettingsTests {
  @Test func aPortThatWasAskedForAndIsTakenIsAnErrorAUsualOneIsNot() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    let port = try #require(listen(listener))
    var strict = PortPlan(environment: ["PORT": "\(port)"])
    #expect(throws: StackError.self) { try strict.take(for: "api-gateway", setting: "PORT", usual: 3000) }
    var free = PortPlan(environment: [:])
    let other = try free.take(for: "api-gateway", setting: "PORT", usual: port)
    #expect(other.port != port)
    #expect(other.remark?.contains("\(port) is taken") == true)
    #expect(try free.take(for: "second", setting: nil, usual: other.port).port != other.port)
  }

  /// Listens on a free port and returns it.
  private func listen(_ descriptor: Int32) -> Int? {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int? in
        guard Glibc.bind(descriptor, generic, length) == 0, Glibc.listen(descriptor, 1) == 0,
          getsockname(descriptor, generic, &length) == 0
        else { return nil }
        return Int(in_port_t(bigEndian: address.pointee.sin_port))
      }
    }
  }

  @Test func replicasAreCountedWithinReason() throws {
    let worker = try #require(ServiceKind.all.first { $0.executable == "send-worker" })
    #expect(try worker.replicas(environment: [:]) == 1)
    #expect(try worker.replicas(environment: ["SEND_WORKERS": "4"]) == 4)
    #expect(throws: StackError.self) { try worker.replicas(environment: ["SEND_WORKERS": "many"]) }
    #expect(try ServiceKind.vendor.replicas(environment: ["SEND_WORKERS": "4"]) == 1)
  }

  @Test func theBrokerIsTheCallersElseAKafkaElseEmbedded() {
    let home = ["KAFKA_HOME": "/opt/kafka"]
    #expect(BrokerChoice(environment: home.merging(["KAFKA_BROKERS": "a:1"]) { $1 }) == .given("a:1"))
    #expect(BrokerChoice(environment: home) == .apacheKafka(home: URL(fileURLWithPath: "/opt/kafka").absoluteURL))
    #expect(BrokerChoice(environment: ["KAFKA_HOME": ""]) == .embedded)
  }

  @Test func credentialsAreNotShown() {
    #expect(MongoServer.withoutCredentials("mongodb://u:p%40ss@h:1/?x=y") == "mongodb://…@h:1/?x=y")
    #expect(MongoServer.withoutCredentials("mongodb://h:1/") == "mongodb://h:1/")
  }

  @Test func theEnvironmentFileSurvivesAShell() async throws {
    try await withDirectory { directory in
      try directory.writeEnv([("A", "it's $HOME"), ("B", "two words")])
      let child = try start("shell", ". \(directory.env.path); printf '%s|%s' \"$A\" \"$B\"", directory)
      #expect(await Stopping.waitUntilGone([child], within: .seconds(10)))
      #expect(directory.tail("shell") == "  it's $HOME|two words")
    }
  }

  @Test func commandsAreReadStrictly() throws {
    #expect(try Command(arguments: []) == .help)
    #expect(try Command(arguments: ["up", "--detach"]) == .up(detach: true))
    #expect(try Command(arguments: ["demo", "--orders", "o", "--leads", "l"]) == .demo(leads: "l", orders: "o"))
    #expect(throws: StackError.self) { try Command(arguments: ["demo", "--leads", "l"]) }
    #expect(throws: StackError.self) { try Command(arguments: ["down", "--now", "1"]) }
    #expect(throws: StackError.self) { try Command(arguments: ["launch"]) }
  }
}
