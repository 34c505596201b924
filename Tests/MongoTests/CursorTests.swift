import BSON
import Mongo
import Testing

extension ServerTests {
  @Suite struct CursorTests {
    private struct Enough: Error {}

    private static func openCursors(_ connection: MongoConnection) throws -> Int? {
      try connection.command(["serverStatus": 1])[path: "metrics.cursor.open.total"]?.intValue
    }

    @Test func optionsShapeTheResult() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<20).map { ["_id": .int64($0), "s": .string("k\($0 % 2)")] })
        try connection.createIndexes(name, [IndexModel(keys: ["s": 1], name: "by_s")])
        func ids(_ filter: BSONDocument, _ options: FindOptions) throws -> [Int?] {
          try connection.findAll(name, filter, options, limit: 100).map { $0["_id"]?.intValue }
        }
        #expect(try ids([:], FindOptions(sort: ["_id": -1], limit: 3, skip: 1)) == [18, 17, 16])
        #expect(try ids(["s": "k1"], FindOptions(hint: "by_s")).count == 10)
        #expect(try ids(["s": "k1"], FindOptions(hint: ["s": 1])).count == 10)
        #expect(try ids(["s": "K1"], FindOptions(collation: ["locale": "en", "strength": 2])).count == 10)
        #expect(throws: MongoError.self) { try ids([:], FindOptions(hint: "no_such_index")) }
        let projected = try connection.findOne(name, ["_id": 1], FindOptions(projection: ["_id": 0, "s": 1]))
        #expect(projected == ["s": "k1"])
        #expect(try connection.findAll(name, [:], limit: 4).count == 4)
        #expect(try connection.findAll(name, [:], limit: 0).isEmpty)
      }
    }

    @Test(arguments: [ReadConcern.local, .majority, .snapshot, .linearizable])
    func everyReadConcernSeesAnAcknowledgedWrite(concern: ReadConcern) async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.insertOne(name, ["_id": 1])
        let options = FindOptions(readConcern: concern, comment: "test")
        #expect(try connection.findAll(name, [:], options, limit: 2).count == 1)
      }
    }

    @Test func stoppingEarlyClosesTheCursor() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<500).map { ["_id": .int64($0)] })
        let before = try Self.openCursors(connection)
        var seen = 0
        try connection.find(name, [:], FindOptions(batchSize: 10)) { _ throws in
          seen += 1
          if seen == 15 { #expect(try Self.openCursors(connection) == before.map { $0 + 1 }) }
          return seen == 25 ? .stop : .more
        }
        #expect(seen == 25)
        #expect(try Self.openCursors(connection) == before)
      }
    }

    @Test func anErrorInTheBodyClosesTheCursorAndPropagates() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<500).map { ["_id": .int64($0)] })
        let before = try Self.openCursors(connection)
        #expect(throws: Enough.self) {
          try connection.find(name, [:], FindOptions(batchSize: 10)) { _ in throw Enough() }
        }
        #expect(throws: Enough.self) {
          try connection.aggregate(name, [], options: AggregateOptions(batchSize: 10)) { _ in throw Enough() }
        }
        #expect(try Self.openCursors(connection) == before)
      }
    }

    @Test func theBodyMayUseTheSameConnection() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<50).map { ["_id": .int64($0)] })
        try connection.find(name, [:], FindOptions(batchSize: 7)) { document in
          try connection.updateOne(name, ["_id": document["_id"] ?? nil], ["$set": ["seen": true]])
          return .more
        }
        #expect(try connection.count(name, ["seen": true]) == 50)
      }
    }

    @Test func aBigResultStreamsInFlatMemory() async throws {
      let (client, name) = try await Fixture.collection()
      let growth = try await client.withConnection { connection in
        let filler = String(repeating: "x", count: 1000)
        for start in stride(from: 0, to: 60_000, by: 2000) {
          _ = try connection.insertMany(
            name, (start..<(start + 2000)).map { ["_id": .int64(Int64($0)), "f": .string(filler)] })
        }
        func stream(_ limit: Int) throws -> (documents: Int, peak: Int) {
          var seen = 0
          var peak = 0
          try connection.find(name, [:], FindOptions(limit: limit, batchSize: 1000)) { document in
            seen += 1
            if seen % 5000 == 0 { peak = max(peak, Memory.residentBytes()) }
            return document.isEmpty ? .stop : .more
          }
          return (seen, peak)
        }
        let warm = try stream(10_000)
        let full = try stream(60_000)
        #expect(full.documents == 60_000)
        try connection.dropCollection(name)
        return full.peak - warm.peak
      }
      // The result has 60 MB.
      #expect(growth < 12 << 20)
    }
  }
}
