import BSON
import Mongo
import Testing

extension ServerTests {
  @Suite struct OperationTests {
    @Test func aDocumentReadsBackByteForByte() async throws {
      let (client, name) = try await Fixture.collection()
      let document: BSONDocument = ["_id": 1, "text": "é", "at": .date(milliseconds: 5), "list": [1, nil, ["x": 2.5]]]
      try await client.withConnection { connection in
        try connection.insertOne(name, document)
        #expect(try connection.findOne(name, ["_id": 1]) == document)
        #expect(try connection.findOne(name, ["_id": 2]) == nil)
      }
    }

    @Test func anInsertWithoutIDGetsOne() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["a": 1])
        _ = try connection.insertMany(name, [["a": 2]])
        let found = try connection.findAll(name, [:], limit: 10)
        #expect(found.compactMap { $0["_id"]?.objectIDValue }.count == 2)
      }
    }

    @Test func updatesReportWhatTheyDid() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (1...5).map { ["_id": .int64($0), "n": 0] })
        let one = try connection.updateOne(name, ["n": 0], ["$set": ["n": 1]])
        #expect(one == UpdateResult(matched: 1, modified: 1, upsertedID: nil))
        let many = try connection.updateMany(name, ["_id": ["$in": [1, 2, 3]]], ["$set": ["n": 1]])
        #expect(many.matched == 3)
        #expect(many.modified == 2)
        let none = try connection.updateOne(name, ["_id": 99], ["$set": ["n": 1]])
        #expect(none == UpdateResult(matched: 0, modified: 0, upsertedID: nil))
        let upsert = try connection.updateOne(name, ["_id": 99], ["$set": ["n": 1]], upsert: true)
        #expect(upsert == UpdateResult(matched: 0, modified: 0, upsertedID: 99))
        let piped = try connection.updateMany(name, [:], pipeline: [["$set": ["twice": ["$multiply": ["$n", 2]]]]])
        #expect(piped.modified == 6)
        #expect(try connection.count(name, ["twice": 2]) == 4)
        let replaced = try connection.replaceOne(name, ["_id": 99], ["whole": "new"])
        #expect(replaced.modified == 1)
        #expect(try connection.findOne(name, ["_id": 99]) == ["_id": 99, "whole": "new"])
        #expect(try connection.deleteOne(name, ["_id": 99]) == 1)
        #expect(try connection.deleteMany(name, ["n": 0]) == 2)
        #expect(try connection.deleteMany(name, ["n": 0]) == 0)
      }
    }

    @Test func arrayFiltersChooseElements() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1, "grades": [80, 95]])
        let raised = try connection.updateOne(
          name, ["_id": 1], ["$set": ["grades.$[low]": 90]], arrayFilters: [["low": ["$lt": 90]]])
        #expect(raised.modified == 1)
        let item = WriteModel.updateOne(
          filter: ["_id": 1], update: ["$set": ["grades.$[top]": 100]], arrayFilters: [["top": ["$gt": 90]]])
        #expect(try connection.bulkWrite(name, [item], ordered: true).modified == 1)
        #expect(try connection.findOne(name, ["_id": 1])?["grades"] == [90, 100])
      }
    }

    @Test func findAndModifyIsAtomicAndReturnsWhatIsAskedFor() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, [["_id": 1, "n": 1], ["_id": 2, "n": 5]])
        let before = try connection.findAndModify(name, [:], update: ["$inc": ["n": 1]], sort: ["n": -1])
        #expect(before == ["_id": 2, "n": 5])
        let after = try connection.findAndModify(
          name, ["_id": 2], pipeline: [["$set": ["n": ["$add": ["$n", 10]]]]], returnNew: true,
          projection: ["_id": 0, "n": 1])
        #expect(after == ["n": 16])
        #expect(try connection.findAndModify(name, ["_id": 3], update: ["$set": ["n": 1]]) == nil)
        #expect(try connection.findAndModify(name, ["_id": 3], update: ["$set": ["n": 1]], upsert: true) == nil)
        #expect(try connection.findAndModify(name, ["_id": 3], .replace(["m": 2]), returnNew: true)?["m"] == 2)
        #expect(try connection.findAndModify(name, ["_id": 3], .remove) == ["_id": 3, "m": 2])
        #expect(try connection.count(name, [:]) == 2)
      }
    }

    @Test func aReplacementIsNeverTakenForAnUpdate() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1, "keep": true])
        let attempts: [() throws -> Void] = [
          { try connection.updateOne(name, [:], ["n": 1]) },
          { try connection.updateMany(name, [:], ["n": 1]) },
          { try connection.replaceOne(name, [:], ["$set": ["n": 1]]) },
          { try connection.findAndModify(name, [:], update: ["n": 1]) },
          { try connection.findAndModify(name, [:], pipeline: []) },
          { _ = try connection.bulkWrite(name, [.updateOne(filter: [:], update: ["n": 1])], ordered: true) },
        ]
        for attempt in attempts {
          let error = #expect(throws: MongoError.self) { try attempt() }
          #expect(error?.kind == .invalidInput)
        }
        #expect(try connection.findOne(name, [:]) == ["_id": 1, "keep": true])
      }
    }

    @Test func aggregatesAndCounts() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<100).map { ["g": .int64($0 % 3), "n": .int64($0)] })
        let groups = try connection.aggregateAll(
          name, [["$group": ["_id": "$g", "sum": ["$sum": "$n"]]], ["$sort": ["_id": 1]]],
          options: AggregateOptions(allowDiskUse: false, readConcern: .local, comment: "test"), limit: 10)
        #expect(groups.map { $0["sum"]?.intValue } == [1683, 1617, 1650])
        #expect(try connection.aggregateAll(name, [["$match": [:]]], limit: 7).count == 7)
        let variables = AggregateOptions(variables: ["least": 98])
        let matched = try connection.aggregateAll(
          name, [["$match": ["$expr": ["$gte": ["$n", "$$least"]]]]], options: variables, limit: 10)
        #expect(matched.count == 2)
        #expect(try connection.count(name, ["g": 1]) == 33)
        #expect(try connection.count(name, [:], limit: 10) == 10)
        #expect(try connection.estimatedCount(name) == 100)
        #expect(try connection.estimatedCount("no_such_\(name)") == 0)
      }
    }

    @Test func serverErrorsAreTyped() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1])
        func kind(_ body: () throws -> Void) -> MongoError.Kind? {
          do {
            try body()
            return nil
          } catch {
            return (error as? MongoError)?.kind
          }
        }
        #expect(kind { _ = try connection.findOne(name, ["$nonsense": 1]) } == .invalidInput)
        #expect(kind { try connection.updateOne(name, [:], ["$nonsense": ["a": 1]]) } == .invalidInput)
        #expect(kind { try connection.command(["noSuchCommand": 1]) } == .server)
        #expect(kind { try connection.insertOne("", ["a": 1]) } == .invalidInput)
        #expect(kind { try connection.insertOne("a\u{0}b", ["a": 1]) } == .invalidInput)
        let slow = FindOptions(maxTimeMS: 30)
        #expect(kind { _ = try connection.findOne(name, ["$where": "sleep(200) || true"], slow) } == .timeout)
      }
    }

    @Test func documentsThatBSONCannotExpressAreNotSent() async throws {
      let (client, name) = try await Fixture.collection()
      let hostile: BSONDocument = ["a\u{0}b": 1]
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1])
        let attempts: [() throws -> Void] = [
          { _ = try connection.findOne(name, hostile) },
          { try connection.insertOne(name, hostile) },
          { _ = try connection.insertMany(name, [hostile]) },
          { try connection.updateOne(name, [:], ["$set": .document(hostile)]) },
          { try connection.deleteMany(name, hostile) },
          { _ = try connection.bulkWrite(name, [.deleteMany(filter: hostile)], ordered: true) },
          { try connection.aggregate(name, [["$match": .document(hostile)]]) { _ in .more } },
        ]
        for attempt in attempts {
          let error = #expect(throws: MongoError.self) { try attempt() }
          #expect(error?.kind == .invalidInput)
        }
        #expect(try connection.count(name, [:]) == 1)
      }
    }
  }
}
