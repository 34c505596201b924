import Foundation
import HTTP
import JSON
import Testing

/// The served description against the running stack: everything that it promises occurs, and nothing else does; and every
/// operation opens to those whom `AccessTable` names, and to nobody else.
@Suite(.serialized) struct ContractTests {
  typealias Pair = APIDescription.Pair

  private static let stage = Task { try await ContractStage.start() }

  private var stage: ContractStage { get async throws { try await Self.stage.value } }

  @Test func everyOperationHasASampleAndALineInTheTableOfAccess() async throws {
    let operations = try await stage.stack.api.operations
    let described = Set(operations.map(\.name))
    #expect(described.count == operations.count, "an operation is described twice")
    let sampled = Sample.all.map(\.operation)
    #expect(Set(sampled).count == sampled.count, "an operation has two samples")
    #expect(described.subtracting(sampled).sorted() == [], "operations without a sample: see Sample.all")
    #expect(Set(sampled).subtracting(described).sorted() == [], "samples of operations that do not exist")
    #expect(described.subtracting(AccessTable.doors.keys).sorted() == [], "operations that AccessTable lacks")
    #expect(Set(AccessTable.doors.keys).subtracting(described).sorted() == [], "doors that do not exist")
    #expect(Sample.all.filter { $0.success == nil }.map(\.operation) == [], "samples without a success")
  }

  // MARK: Access

  @Test func everyOperationOpensToWhomTheTableNamesAndToNobodyElse() async throws {
    let stage = try await stage
    let provocation = try await Provocation(stage)
    for operation in stage.stack.api.operations {
      let door = try #require(AccessTable.doors[operation.name])
      for (caller, credential, isWelcome) in try await Self.callers(at: door, stage) {
        // An unknown parameter: who may come in hears 400, and nothing is changed.
        let call = Call(ids: operation.unknownIDs, query: "no_parameter=1", credential: credential)
        let answer = try await provocation.send(operation, call)
        let isOpened = answer.status != 401 && answer.status != 403
        #expect(isOpened == isWelcome, "\(operation.name) answers \(answer.status) to \(caller)")
        let refusal = credential == .key(Self.noKey) || credential == Call.Credential.none ? 401 : 403
        let expected = isWelcome ? 400 : door == .signature ? 401 : refusal
        #expect(answer.status == expected || door == .open, "\(operation.name) answers \(answer.status) to \(caller)")
      }
      let scope = operation.description["x-required-scope"]?.stringValue
      if case .scope(let needed, _) = door { #expect(scope == needed) } else { #expect(scope == nil) }
      #expect(operation.isGuarded == (door != .open && door != .signature), "\(operation.name): security")
    }
  }

  private static let noKey = "mcrm_00000000_" + String(repeating: "A", count: 43)

  /// Everybody who may come, and whether the door opens to them.
  private static func callers(
    at door: AccessTable.Door, _ stage: ContractStage
  ) async throws -> [(caller: String, credential: Call.Credential, isWelcome: Bool)] {
    var callers: [(String, Call.Credential, Bool)] = [
      ("nobody", .none, door == .open), ("a key that does not exist", .key(noKey), door == .open),
    ]
    for role in ContractStage.Role.allCases {
      let isWelcome =
        switch door {
        case .open, .anyone: true
        case .signature: false
        case .scope(_, let roles): roles.contains(role)
        }
      callers.append((role.rawValue, .key(try await stage.key(of: role).secret), isWelcome))
    }
    switch door {
    case .open, .anyone: break
    case .signature:
      callers.append(("another's signature", .signature(secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), false))
      callers.append(("the vendor", .signature(secret: ContractStage.webhookSecret), true))
    case .scope(let scope, _):
      callers.append(("a key for \(scope) alone", .key(try await stage.key(onlyFor: scope)), true))
      callers.append(("a key for all but \(scope)", .key(try await stage.key(butFor: scope)), false))
    }
    return callers
  }

  // MARK: Answers

  @Test func everyDocumentedAnswerIsGiven() async throws {
    let stage = try await stage
    let api = stage.stack.api
    let provocation = try await Provocation(stage)
    let samples = Dictionary(uniqueKeysWithValues: Sample.all.map { ($0.operation, $0) })
    var calls: [String: Call] = [:]
    for operation in api.operations {
      let sample = try #require(samples[operation.name], "see Sample.all")
      for (status, make) in sample.calls.sorted(by: { $0.key < $1.key }) {
        let call = try await make(stage)
        let answer = try await provocation.send(operation, call)
        #expect(answer.status == status, "\(operation.name): \(answer.text.prefix(500))")
        if status == sample.success?.status {
          calls[operation.name] = call
          // A credential of its own may be used up.
          calls[operation.name]?.credential = nil
        }
      }
    }
    try await Self.spoil(calls, samples, provocation)
    try await Self.withoutServers(stage) {
      for operation in api.operations where operation.statuses.contains(503) {
        _ = try await provocation.send(operation, calls[operation.name] ?? Call())
      }
    }
    let missing = api.pairs.subtracting(api.exercised).filter { Unprovoked.reason($0) == nil }
    #expect(missing.sorted() == [], "documented, and never seen")
    #expect(api.exercised.filter { Unprovoked.reason($0) != nil }.sorted() == [], "seen, and said to be impossible")
    let counts = "\(api.exercised.count) of \(api.pairs.count) documented answers"
    print("contract: \(api.operations.count) operations gave \(counts)")
  }

  /// Every refusal that is provoked the same way for all operations, each operation's in turn, operations side by side.
  private static func spoil(
    _ calls: [String: Call], _ samples: [String: Sample], _ provocation: Provocation
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for operation in provocation.stage.stack.api.operations {
        guard let sample = samples[operation.name], let success = sample.success else { continue }
        group.addTask {
          for status in operation.statuses.sorted() where status >= 400 && sample.calls[status] == nil {
            // What a repetition can be refused for needs a call of its own.
            let call = status == 422 ? try await success.make(provocation.stage) : calls[operation.name] ?? Call()
            guard let answer = try await provocation.provoke(status, operation, call) else { continue }
            #expect(answer.status == status, "\(operation.name): \(answer.text.prefix(500))")
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Runs a body while MongoDB and the broker are frozen and the gateway knows it, and thaws them.
  private static func withoutServers(_ stage: ContractStage, _ body: () async throws -> Void) async throws {
    let frozen = try ["mongod", "broker"].map { try stage.stack.processID($0) }
    @Sendable func connected() async throws -> [Bool] {
      let services = try await stage.stack.request(.get, "/health").json["services"]
      return ["database", "kafka"].map { services?[$0]?.stringValue == "connected" }
    }
    for process in frozen { kill(process, SIGSTOP) }
    defer { for process in frozen { kill(process, SIGCONT) } }
    try await until("the gateway misses both") { try await connected() == [false, false] }
    try await body()
    for process in frozen { kill(process, SIGCONT) }
    try await until("the gateway has both again") { try await connected() == [true, true] }
  }
}
