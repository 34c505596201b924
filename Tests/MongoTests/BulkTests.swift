import BSON
import Mongo
import Testing

extension ServerTests {
  @Suite struct BulkTests {
    @Test func countsEveryKindOfOperation() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (1...6).map { ["_id": .int64($0), "n": 0] })
        let result = try connection.bulkWrite(
          name,
          [
            .insert(["_id": 10]),
            .updateOne(filter: ["_id": 1], update: ["$set": ["n": 1]]),
            .updateOne(filter: ["_id": 2], update: ["$set": ["n": 0]]),
            .updateMany(filter: ["_id": ["$in": [3, 4]]], update: ["$inc": ["n": 1]]),
            .updateOnePipeline(filter: ["_id": 5], pipeline: [["$set": ["n": ["$add": ["$n", 7]]]]]),
            .updateManyPipeline(filter: ["_id": 5], pipeline: [["$set": ["m": "$n"]]]),
            .updateOne(filter: ["_id": 20], update: ["$set": ["n": 2]], upsert: true),
            .replaceOne(filter: ["_id": 21], replacement: ["n": 3], upsert: true),
            .deleteOne(filter: ["_id": 6]),
            .deleteMany(filter: ["_id": ["$gte": 20]]),
          ], ordered: true)
        #expect(result.inserted == 1)
        #expect(result.matched == 6)
        #expect(result.modified == 5)
        #expect(result.deleted == 3)
        #expect(result.upserted.map(\.index) == [6, 7])
        #expect(result.upserted.map(\.id) == [20, 21])
        #expect(result.errors.isEmpty)
        #expect(try connection.findOne(name, ["_id": 5]) == ["_id": 5, "n": 7, "m": 7])
      }
    }

    @Test func anEmptyBulkDoesNothing() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection throws in
        #expect(try connection.insertMany(name, []).inserted == 0)
        #expect(try connection.bulkWrite(name, [], ordered: false).errors.isEmpty)
      }
    }

    @Test func duplicatesAreReportedItemByItemAndTheRestIsWritten() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.createIndexes(name, [IndexModel(keys: ["a": 1, "b": -1], unique: true)])
        _ = try connection.insertMany(name, [["_id": 3, "a": 3], ["_id": 100, "a": 5, "b": 5]])
        let documents: [BSONDocument] = (0..<10).map { ["_id": .int64($0), "a": .int64($0), "b": .int64($0)] }
        let result = try connection.insertMany(name, documents)
        #expect(result.inserted == 8)
        #expect(result.errors.map(\.index) == [3, 5])
        #expect(result.errors.allSatisfy { $0.isDuplicateKey && $0.code == 11000 && !$0.message.isEmpty })
        #expect(result.errors.map(\.keyPattern) == [["_id"], ["a", "b"]])
        #expect(result.errors.map(\.keyValue) == [["_id": 3], ["a": 5, "b": 5]])
        let error = #expect(throws: MongoError.self) { try result.throwIfFailed() }
        #expect(error?.kind == .bulk)
        #expect(error?.bulkResult?.inserted == 8)
      }
    }

    @Test func anOrderedBulkStopsAtTheFirstError() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 2])
        let result = try connection.insertMany(name, (0..<5).map { ["_id": .int64($0)] }, ordered: true)
        #expect(result.inserted == 2)
        #expect(result.errors.map(\.index) == [2])
      }
    }

    @Test func errorsOfDifferentKindsKeepTheirIndexesAcrossCommands() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.ensureCollection(name, validator: ["n": ["$gte": 0]])
        _ = try connection.insertMany(name, [["_id": 1, "n": 1], ["_id": 2, "n": 1]])
        let result = try connection.bulkWrite(
          name,
          [
            .insert(["_id": 1, "n": 1]), .updateOne(filter: ["_id": 1], update: ["$set": ["n": -1]]),
            .insert(["_id": 3, "n": 1]), .updateOne(filter: ["_id": 2], update: ["$inc": ["n": "text"]]),
            .updateOne(filter: ["_id": 2], update: ["$inc": ["n": 1]]),
          ], ordered: false)
        #expect(result.inserted == 1)
        #expect(result.modified == 1)
        #expect(result.errors.map(\.index) == [0, 1, 3])
        #expect(result.errors.map(\.kind) == [.duplicateKey, .invalidInput, .invalidInput])
        #expect(result.errors.map(\.code) == [11000, 121, 14])
        #expect(result.errors[1].details != nil)
      }
    }

    @Test func insertingOnceReportsItemByItemAcrossCommands() async throws {
      let (client, name) = try await Fixture.collection()
      let filler = String(repeating: "y", count: 1 << 20)
      let documents: [BSONDocument] = (0..<20).map { ["_id": .int64($0), "u": .int64($0), "f": .string(filler)] }
      try await client.withConnection { connection in
        try connection.ensureCollection(name, validator: ["u": ["$ne": 4]])
        try connection.createIndexes(name, [IndexModel(keys: ["u": 1], unique: true)])
        _ = try connection.insertMany(name, [["_id": 3, "u": -3], ["_id": 117, "u": 17]])
        let result = try connection.insertManyOnce(name, documents)
        #expect(result.inserted == 17)
        #expect(result.errors.map(\.index) == [3, 4, 17])
        #expect(result.errors.map(\.kind) == [.duplicateKey, .invalidInput, .duplicateKey])
        #expect(result.errors.map(\.keyPattern) == [["_id"], [], ["u"]])
        #expect(result.errors.last?.keyValue == ["u": 17])
        #expect(try connection.count(name, [:]) == 19)
        #expect(try connection.insertManyOnce(name, []).inserted == 0)
        try connection.dropCollection(name)
      }
    }

    @Test func insertingOnceTakesAllThatADocumentMayBe() async throws {
      let (client, name) = try await Fixture.collection()
      @Sendable func document(bytes: Int) -> BSONDocument {
        let frame = (["_id": 1, "f": ""] as BSONDocument).bytes.count
        return ["_id": 1, "f": .string(String(repeating: "y", count: bytes - frame))]
      }
      try await client.withConnection { connection in
        let largest = document(bytes: 16 << 20)
        #expect(largest.bytes.count == 16 << 20)
        #expect(try connection.insertManyOnce(name, [["_id": 0], largest, ["_id": 2]]).inserted == 3)
        let error = #expect(throws: MongoError.self) {
          _ = try connection.insertManyOnce(name, [["_id": 5], document(bytes: 16 << 20 + 1)])
        }
        #expect(error?.kind == .invalidInput)
        #expect(error?.message.hasPrefix("item 1: ") == true)
        #expect(try connection.count(name, [:]) == 3)
        try connection.dropCollection(name)
      }
    }

    @Test func insertingOnceInATransactionIsPartOfIt() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { try $0.insertOne(name, ["_id": 0]) }
      let error = await #expect(throws: MongoError.self) {
        try await client.withTransaction { connection in
          _ = try connection.insertManyOnce(name, [["_id": 1]])
          _ = try connection.insertManyOnce(name, [["_id": 0]])
        }
      }
      #expect(error?.kind == .bulk)
      #expect(try await client.withConnection { try $0.count(name, [:]) } == 1)
    }

    @Test func singleWritesThrowTheDuplicatesKey() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.createIndexes(name, [IndexModel(keys: ["email": 1], unique: true)])
        _ = try connection.insertMany(name, [["_id": 1, "email": "a"], ["_id": 2, "email": "b"]])
        let attempts: [() throws -> Void] = [
          { try connection.insertOne(name, ["email": "a"]) },
          { try connection.updateOne(name, ["_id": 2], ["$set": ["email": "a"]]) },
          { try connection.replaceOne(name, ["_id": 2], ["email": "a"]) },
          { try connection.updateOne(name, ["_id": 3], ["$set": ["email": "a"]], upsert: true) },
          { try connection.findAndModify(name, ["_id": 2], update: ["$set": ["email": "a"]]) },
        ]
        for attempt in attempts {
          let error = #expect(throws: MongoError.self) { try attempt() }
          #expect(error?.kind == .duplicateKey)
          #expect(error?.keyPattern == ["email"])
          #expect(error?.keyValue == ["email": "a"])
          #expect(error?.isRetryable == false)
        }
      }
    }

    @Test func aBulkLargerThanOneMessageIsSplitAndKeepsItsIndexes() async throws {
      let (client, name) = try await Fixture.collection()
      let filler = String(repeating: "y", count: 1 << 20)
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 55])
        let result = try connection.insertMany(name, (0..<60).map { ["_id": .int64($0), "f": .string(filler)] })
        #expect(result.inserted == 59)
        #expect(result.errors.map(\.index) == [55])
        try connection.dropCollection(name)
      }
    }

    @Test func aDocumentBeyondTheServersLimitIsTheCallersFault() async throws {
      let (client, name) = try await Fixture.collection()
      let filler = String(repeating: "y", count: 17 << 20)
      try await client.withConnection { connection in
        let error = #expect(throws: MongoError.self) { try connection.insertOne(name, ["f": .string(filler)]) }
        #expect(error?.kind == .invalidInput)
        let bulk = #expect(throws: MongoError.self) { _ = try connection.insertMany(name, [["f": .string(filler)]]) }
        #expect(bulk?.kind == .invalidInput)
      }
    }
  }
}
