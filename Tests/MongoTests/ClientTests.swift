import BSON
import Mongo
import Testing

extension ServerTests {
  @Suite struct ClientTests {
    private struct Escaped: @unchecked Sendable {
      // Only what a test smuggles out of a closure to prove that it is dead.
      let connection: MongoConnection
    }

    @Test func pingAnswers() async throws {
      try await Fixture.withClient { try await $0.ping() }
    }

    @Test func aConnectionIsDeadAfterItsClosure() async throws {
      let (client, name) = try await Fixture.collection()
      let escaped = try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1])
        return Escaped(connection: connection)
      }
      let attempts: [() throws -> Void] = [
        { _ = try escaped.connection.findOne(name, [:]) },
        { try escaped.connection.insertOne(name, [:]) },
        { _ = try escaped.connection.insertMany(name, [[:]]) },
        { try escaped.connection.command(["ping": 1]) },
      ]
      for attempt in attempts {
        let error = #expect(throws: MongoError.self) { try attempt() }
        #expect(error?.kind == .invalidInput)
      }
    }

    @Test func operationsRunOffTheCooperativePool() async throws {
      let (client, _) = try await Fixture.collection()
      // Threads of the cooperative pool run tasks; the client's own do not.
      #expect(withUnsafeCurrentTask { $0 != nil })
      #expect(try await client.withConnection { _ in withUnsafeCurrentTask { $0 == nil } })
    }

    @Test func waitingTooLongForAConnectionIsExhaustion() async throws {
      try await Fixture.withClient(poolSize: 1, waitQueueTimeoutMS: 150) { client in
        let gate = Gate()
        let holder = Task { try await client.withConnection { _ in gate.enterAndWait() } }
        await gate.entered()
        let ran = Counter()
        let error = await #expect(throws: MongoError.self) {
          try await client.withConnection { _ in _ = ran.next() }
        }
        #expect(error?.kind == .exhausted)
        #expect(error?.isRetryable == true)
        // A ping has a connection of its own: load is no outage.
        try await client.ping()
        gate.open()
        try await holder.value
        try await client.withConnection { _ in }
        #expect(ran.value == 0)
      }
    }

    @Test func tooManyWaitersAreRefusedAtOnce() async throws {
      try await Fixture.withClient(poolSize: 1, waitQueueLimit: 2) { client in
        let gate = Gate()
        let holder = Task { try await client.withConnection { _ in gate.enterAndWait() } }
        await gate.entered()
        let outcomes = await withTaskGroup(of: MongoError.Kind?.self) { group in
          for _ in 0..<5 {
            group.addTask {
              do {
                try await client.withConnection { _ in }
                return nil
              } catch {
                return (error as? MongoError)?.kind
              }
            }
          }
          var kinds: [MongoError.Kind?] = []
          // Three are refused while the gate is still closed.
          for await kind in group {
            kinds.append(kind)
            if kinds.count == 3 { gate.open() }
          }
          return kinds
        }
        #expect(outcomes == [.exhausted, .exhausted, .exhausted, nil, nil])
        try await holder.value
      }
    }

    @Test func aCancelledTasksWaitingJobNeverRuns() async throws {
      try await Fixture.withClient(poolSize: 1) { client in
        let gate = Gate()
        let holder = Task { try await client.withConnection { _ in gate.enterAndWait() } }
        await gate.entered()
        let ran = Counter()
        let waiter = Task { try await client.withConnection { _ in _ = ran.next() } }
        waiter.cancel()
        // Answered although the only thread is still busy.
        await #expect(throws: CancellationError.self) { try await waiter.value }
        gate.open()
        try await holder.value
        try await client.withConnection { _ in }
        #expect(ran.value == 0)
      }
    }

    @Test func aClosedClientRefuses() async throws {
      let client = try await Fixture.client()
      try await client.withConnection { _ = try $0.command(["ping": 1]) }
      await client.close()
      await client.close()
      let error = await #expect(throws: MongoError.self) { try await client.withConnection { _ in } }
      #expect(error?.kind == .closed)
      await #expect(throws: MongoError.self) { try await client.ping() }
    }

    @Test func closingWaitsForWhatRuns() async throws {
      let (shared, name) = try await Fixture.collection()
      let client = try await Fixture.client()
      let gate = Gate()
      let writer = Task {
        try await client.withConnection { connection in
          gate.enterAndWait()
          try connection.insertOne(name, ["_id": 1])
        }
      }
      await gate.entered()
      async let closed: Void = client.close()
      gate.open()
      try await writer.value
      await closed
      #expect(try await shared.withConnection { try $0.count(name, [:]) } == 1)
    }

    @Test func aWriteIsRepeatedAfterABrokenConnection() async throws {
      let (client, name) = try await Fixture.collection()
      try await Fixture.withClient(application: name) { victim in
        try await FailPoint.withFailure(
          of: ["insert"], for: name, mode: ["times": 1], data: ["closeConnection": true], on: client
        ) {
          try await victim.withConnection { try $0.insertOne(name, ["_id": 1]) }
        }
        let error = try await FailPoint.withFailure(
          of: ["insert"], for: name, mode: "alwaysOn", data: ["closeConnection": true], on: client
        ) {
          await #expect(throws: MongoError.self) {
            try await victim.withConnection { try $0.insertOne(name, ["_id": 2]) }
          }
        }
        #expect(error?.kind == .unavailable)
      }
      #expect(try await client.withConnection { try $0.count(name, [:]) } == 1)
    }

    @Test func anInsertThatIsMadeOnceIsNotRepeatedAndLeavesNoMemoryOfItsStatements() async throws {
      let (client, name) = try await Fixture.collection()
      let documents: [BSONDocument] = [["_id": 1], ["_id": 2]]
      try await Fixture.withClient(application: name) { victim in
        let error = try await FailPoint.withFailure(
          of: ["insert"], for: name, mode: ["times": 1], data: ["closeConnection": true], on: client
        ) {
          await #expect(throws: MongoError.self) {
            try await victim.withConnection { _ = try $0.insertManyOnce(name, documents) }
          }
        }
        #expect(error?.kind == .unavailable)
        #expect(error?.bulkResult?.inserted == 0)
        #expect(try await client.withConnection { try $0.count(name, [:]) } == 0)
        #expect(try await victim.withConnection { try $0.insertManyOnce(name, documents).inserted } == 2)
        #expect(try await victim.withConnection { try $0.insertMany(name, [["_id": 3]]).inserted } == 1)
      }
      var configuration = client.configuration
      let namespace = "\(configuration.database).\(name)"
      configuration.database = "local"
      let oplog = try MongoClient(configuration)
      let statements = try await oplog.withConnection { connection in
        var found: [BSONValue: Bool] = [:]
        try connection.find("oplog.rs", ["ns": .string(namespace), "op": "i"]) { entry in
          if let id = entry["o"]?["_id"] { found[id] = entry["stmtId"] != nil }
          return .more
        }
        return found
      }
      await oplog.close()
      #expect(statements == [1: false, 2: false, 3: true])
    }

    @Test func aWriteThatIsNotDurableOnAMajoritySaysSo() async throws {
      let (client, name) = try await Fixture.collection()
      let concern: BSONDocument = ["writeConcernError": ["code": .int32(64), "errmsg": "waiting timed out"]]
      try await Fixture.withClient(application: name) { victim in
        let errors = try await FailPoint.withFailure(
          of: ["insert"], for: name, mode: "alwaysOn", data: concern, on: client
        ) {
          (
            await #expect(throws: MongoError.self) {
              try await victim.withConnection { try $0.insertOne(name, ["_id": 1]) }
            },
            await #expect(throws: MongoError.self) {
              try await victim.withConnection { _ = try $0.insertMany(name, [["_id": 1], ["_id": 2]]) }
            },
            await #expect(throws: MongoError.self) {
              try await victim.withConnection { _ = try $0.insertManyOnce(name, [["_id": 2], ["_id": 3]]) }
            }
          )
        }
        #expect(errors.0?.kind == .writeConcern)
        #expect(errors.1?.kind == .writeConcern)
        #expect(errors.1?.message == "waiting timed out")
        #expect(errors.1?.bulkResult?.errors.map(\.index) == [0])
        #expect(errors.1?.bulkResult?.inserted == 1)
        #expect(errors.2?.kind == .writeConcern)
        #expect(errors.2?.code == 64)
        #expect(errors.2?.message == "waiting timed out")
        #expect(errors.2?.bulkResult?.errors.map(\.index) == [0])
        #expect(errors.2?.bulkResult?.inserted == 1)
        let stepsDown: BSONDocument = ["writeConcernError": ["code": .int32(189), "errmsg": "stepping down"]]
        let error = try await FailPoint.withFailure(
          of: ["insert"], for: name, mode: "alwaysOn", data: stepsDown, on: client
        ) {
          await #expect(throws: MongoError.self) {
            try await victim.withConnection { _ = try $0.insertManyOnce(name, [["_id": 4]]) }
          }
        }
        #expect(error?.kind == .unavailable && error?.code == 189)
      }
    }
  }
}
