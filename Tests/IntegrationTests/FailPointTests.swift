import BSON
import CRMCore
import CivilTime
import Mongo
import Runtime
import Testing

@testable import CRMStore

/// What becomes of operations that MongoDB fails on purpose. One after another, and nowhere else among these tests: the
/// server that they share has each fail point once.
@Suite(.serialized) struct FailPointTests {
  /// - Returns: how often the fail point was met.
  private static func withFailure(
    _ name: String, _ mode: BSONValue, _ data: BSONDocument, on store: Store, _ body: () async throws -> Void
  ) async throws -> Int {
    func set(_ mode: BSONValue, _ data: BSONDocument) async throws -> Int {
      try await store.mongo.withConnection {
        let command: BSONDocument = ["configureFailPoint": .string(name), "mode": mode, "data": .document(data)]
        return try $0.command(command, database: "admin")["count"]?.intValue ?? 0
      }
    }
    let before = try await set(mode, data)
    do {
      try await body()
    } catch {
      _ = try await set("off", [:])
      throw error
    }
    return try await set("off", [:]) - before
  }

  private static func leads(of store: Store) -> BSONValue {
    .string("\(store.mongo.configuration.database).\(Collections.leads)")
  }

  /// A store of the same database whose connections are its own and time out soon.
  private static func impatient(_ store: Store) throws -> Store {
    var configuration = store.mongo.configuration
    configuration.socketTimeoutMS = 5000
    configuration.applicationName = configuration.database
    return Store(mongo: try MongoClient(configuration), clock: SystemClock())
  }

  private static let rows = (0..<200).map { LeadInput(name: "Lead \($0)", emails: ["lead\($0)@example.com"]) }

  private static func expectEachOnce(_ store: Store) async throws {
    let count = try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) }
    #expect(count == rows.count)
  }

  @Test func anOperationThatTakesTooLongIsATimeoutAndACountIsUnknown() async throws {
    let store = try await AudienceTests.store()
    let rule = try await AudienceTests.buyers(store)
    let data: BSONDocument = [
      "failCommands": ["find", "count", "aggregate"], "errorCode": 50, "namespace": Self.leads(of: store),
    ]
    let met = try await Self.withFailure("failCommand", "alwaysOn", data, on: store) {
      let count = try await store.countLeads(rule, timeoutMS: 60_000)
      #expect(count == nil)
      for ask in [
        { _ = try await store.preview(rule, timeoutMS: 60_000) },
        { _ = try await store.sample(rule, limit: 3, timeoutMS: 60_000) },
      ] as [@Sendable () async throws -> Void] {
        let error = await #expect(throws: MongoError.self) { try await ask() }
        #expect(error?.kind == .timeout)
      }
    }
    #expect(met >= 3)
    #expect(try await store.countLeads(rule, timeoutMS: 60_000) == 10)
  }

  // MARK: Inserts of new leads that are cut off

  @Test(arguments: ["the connection breaks", "the primary steps down before", "the primary steps down after"])
  func anInsertThatIsCutOffIsCarriedOnWithAndCountsOnce(how: String) async throws {
    let store = try await TestServers.shared.store()
    let cut = try Self.impatient(store)
    var data: BSONDocument = ["failCommands": ["insert"], "namespace": Self.leads(of: store)]
    switch how {
    case "the connection breaks": data.append("closeConnection", true)
    case "the primary steps down before": data.append("errorCode", 189)
    // Carried out, and the majority not waited for.
    default: data.append("writeConcernError", document: ["code": .int32(189), "errmsg": "stepping down"])
    }
    let met = try await Self.withFailure("failCommand", ["times": 1], data, on: store) {
      let outcomes = try await cut.upsertLeads(Self.rows)
      #expect(outcomes.allSatisfy { $0 == .inserted })
    }
    #expect(met == 1)
    try await Self.expectEachOnce(store)
    let again = try await cut.upsertLeads(Self.rows)
    #expect(again.allSatisfy { $0 == .unchanged })
    await cut.mongo.close()
  }

  /// The answer is lost: nobody knows what was stored, and one of the leads is another already.
  @Test func aRowWhoseAnswerIsLostIsFoundByItsIDAndDoesNotUndoWhatCameSince() async throws {
    let store = try await TestServers.shared.store()
    let cut = try Self.impatient(store)
    let data: BSONDocument = ["ns": Self.leads(of: store), "commands": ["insert"]]
    let met = try await Self.withFailure("waitAfterCommandFinishesExecution", "alwaysOn", data, on: store) {
      async let outcomes = cut.upsertLeads(Self.rows)
      try await until("the leads are stored") {
        try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) } == Self.rows.count
      }
      let changed = try await store.mongo.withConnection {
        try $0.updateOne(
          Collections.leads, ["emails": "lead7@example.com"],
          ["$set": ["name": "Changed", "emails": ["changed@example.com"]]])
      }
      #expect(changed.modified == 1)
      #expect(try await outcomes.allSatisfy { $0 == .inserted })
    }
    #expect(met >= 1)
    try await Self.expectEachOnce(store)
    let kept = try await store.mongo.withConnection {
      try $0.count(Collections.leads, ["name": "Changed", "emails": ["changed@example.com"]])
    }
    #expect(kept == 1)
    await cut.mongo.close()
  }

  /// Two cuts are an outage, of which the caller hears.
  @Test func anInsertThatIsCutOffTwiceIsAnOutage() async throws {
    let store = try await TestServers.shared.store()
    let cut = try Self.impatient(store)
    let data: BSONDocument = [
      "failCommands": ["insert"], "closeConnection": true, "namespace": Self.leads(of: store),
    ]
    let met = try await Self.withFailure("failCommand", ["times": 2], data, on: store) {
      let error = await #expect(throws: MongoError.self) { _ = try await cut.upsertLeads(Self.rows) }
      #expect(error?.kind == .unavailable)
    }
    #expect(met == 2)
    #expect(try await cut.upsertLeads(Self.rows).allSatisfy { $0 == .inserted })
    try await Self.expectEachOnce(store)
    await cut.mongo.close()
  }
}
