import BSON
import Testing

@testable import Mongo

extension ServerTests {
  @Suite struct TransactionTests {
    private struct Refused: Error {}

    @Test func writesOfTwoCollectionsCommitTogether() async throws {
      let (client, name) = try await Fixture.collection()
      let value = try await client.withTransaction { connection in
        #expect(connection.isInTransaction)
        try connection.insertOne(name, ["_id": 1])
        _ = try connection.insertMany(name + "_b", [["_id": 1], ["_id": 2]])
        try connection.updateOne(name, ["_id": 1], ["$set": ["n": 1]])
        #expect(try connection.findOne(name, ["_id": 1])?["n"] == 1)
        // Nobody else sees it before the commit.
        let outside = try client.connected { try $0.count(name, [:]) }
        #expect(outside == 0)
        return "done"
      }
      #expect(value == "done")
      try await client.withConnection { connection throws in
        #expect(!connection.isInTransaction)
        #expect(try connection.findOne(name, ["_id": 1]) == ["_id": 1, "n": 1])
        #expect(try connection.count(name + "_b", [:]) == 2)
      }
    }

    @Test func anErrorOfTheBodyAbortsAndPropagates() async throws {
      let (client, name) = try await Fixture.collection()
      let attempts = Counter()
      await #expect(throws: Refused.self) {
        try await client.withTransaction { connection in
          attempts.next()
          try connection.insertOne(name, ["_id": 1])
          throw Refused()
        }
      }
      #expect(attempts.value == 1)
      #expect(try await client.withConnection { try $0.count(name, [:]) } == 0)
    }

    @Test func aDuplicateKeyIsNotRetried() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1]) }
      let attempts = Counter()
      let single = await #expect(throws: MongoError.self) {
        try await client.withTransaction { connection in
          attempts.next()
          try connection.insertOne(name, ["_id": 1])
        }
      }
      #expect(single?.kind == .duplicateKey)
      let bulk = await #expect(throws: MongoError.self) {
        try await client.withTransaction { connection in
          attempts.next()
          _ = try connection.insertMany(name, [["_id": 0], ["_id": 1], ["_id": 2]])
        }
      }
      #expect(bulk?.kind == .bulk)
      #expect(bulk?.bulkResult?.errors.map(\.index) == [1])
      #expect(attempts.value == 2)
      #expect(try await client.withConnection { try $0.count(name, [:]) } == 1)
    }

    @Test func aWriteConflictRunsTheBodyAgainOnANewSnapshot() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1, "n": 0]) }
      let attempts = Counter()
      let seen = try await client.withTransaction { connection in
        let snapshot = try connection.findOne(name, ["_id": 1])?["n"]?.intValue
        // A second connection wins the race, once.
        if attempts.next() == 1 {
          try client.connected { other in _ = try other.updateOne(name, ["_id": 1], ["$inc": ["n": 100]]) }
        }
        try connection.updateOne(name, ["_id": 1], ["$inc": ["n": 1]])
        return snapshot
      }
      #expect(attempts.value == 2)
      #expect(seen == 100)
      #expect(try await client.withConnection { try $0.findOne(name, [:]) } == ["_id": 1, "n": 101])
    }

    @Test func aBulkConflictIsRetriedToo() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1, "n": 0]) }
      let attempts = Counter()
      try await client.withTransaction { connection in
        _ = try connection.findOne(name, ["_id": 1])
        if attempts.next() == 1 {
          try client.connected { other in _ = try other.updateOne(name, ["_id": 1], ["$inc": ["n": 100]]) }
        }
        let item = WriteModel.updateOne(filter: ["_id": 1], update: ["$inc": ["n": 1]])
        _ = try connection.bulkWrite(name, [item], ordered: false)
      }
      #expect(attempts.value == 2)
    }

    @Test func retriesEndAtTheMaximumOfAttempts() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1, "n": 0]) }
      let attempts = Counter()
      let error = await #expect(throws: MongoError.self) {
        try await client.withTransaction(TransactionOptions(deadline: .seconds(20), maximumAttempts: 3)) { connection in
          attempts.next()
          _ = try connection.findOne(name, ["_id": 1])
          try client.connected { other in _ = try other.updateOne(name, ["_id": 1], ["$inc": ["n": 100]]) }
          try connection.updateOne(name, ["_id": 1], ["$inc": ["n": 1]])
        }
      }
      #expect(attempts.value == 3)
      #expect(error?.kind == .writeConflict)
      #expect(error?.isRetryable == true)
    }

    @Test func retriesEndAtTheDeadline() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1, "n": 0]) }
      let took = await ContinuousClock().measure {
        let error = await #expect(throws: MongoError.self) {
          let options = TransactionOptions(deadline: .milliseconds(300), maximumAttempts: .max)
          try await client.withTransaction(options) { connection in
            _ = try connection.findOne(name, ["_id": 1])
            try client.connected { other in _ = try other.updateOne(name, ["_id": 1], ["$inc": ["n": 100]]) }
            try connection.updateOne(name, ["_id": 1], ["$inc": ["n": 1]])
          }
        }
        #expect(error?.kind == .writeConflict)
      }
      #expect(took < .seconds(5))
    }

    @Test func fiftyConcurrentTransactionsOnOneCounterAllCount() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 1, "n": 0]) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<50 {
          group.addTask {
            try await client.withTransaction { connection in
              // Read, then write what was read plus one: any lost isolation loses a count.
              let read = try connection.findOne(name, ["_id": 1])?["n"]?.intValue ?? -1
              try connection.updateOne(name, ["_id": 1], ["$set": ["n": .int64(Int64(read + 1))]])
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await client.withConnection { try $0.findOne(name, [:]) } == ["_id": 1, "n": 50])
    }

    @Test func aCommitWhoseFateIsUnknownIsSentAgain() async throws {
      let (client, name) = try await Fixture.collection()
      let application = "commit_\(name)"
      let attempts = Counter()
      try await client.withConnection { try $0.insertOne(name, ["_id": 0]) }
      try await Fixture.withClient(application: application) { victim in
        // libmongoc itself repeats a commit once; three failures are ours to survive.
        try await FailPoint.withFailure(
          of: ["commitTransaction"], for: application, mode: ["times": 3], data: ["closeConnection": true], on: client
        ) {
          try await victim.withTransaction { connection in
            attempts.next()
            try connection.insertOne(name, ["_id": 1])
          }
        }
      }
      #expect(attempts.value == 1)
      #expect(try await client.withConnection { try $0.count(name, [:]) } == 2)
    }

    @Test func sessionsEndWithTheirTransaction() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 0]) }
      for _ in 0..<20 {
        try? await client.withTransaction { connection in
          try connection.insertOne(name, ["_id": 1])
          throw Refused()
        }
      }
      let open = try await client.withConnection { connection in
        try connection.command(["serverStatus": 1])[path: "transactions.currentOpen"]?.intValue
      }
      #expect(open == 0)
    }
  }
}
