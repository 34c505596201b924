import BSON
import Mongo
import Testing

extension ServerTests {
  @Suite struct SchemaTests {
    private static func validator(minimum: Int64) -> BSONDocument {
      [
        "$jsonSchema": [
          "bsonType": "object", "required": ["n"],
          "properties": ["n": ["bsonType": "long", "minimum": .int64(minimum)]],
        ]
      ]
    }

    @Test func aValidatorIsCreatedKeptAndChanged() async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        try connection.ensureCollection(name, validator: Self.validator(minimum: 5))
        try connection.ensureCollection(name, validator: Self.validator(minimum: 5))
        try connection.insertOne(name, ["n": 5])
        let refused = #expect(throws: MongoError.self) { try connection.insertOne(name, ["n": 4]) }
        #expect(refused?.kind == .invalidInput)
        #expect(refused?.code == 121)
        try connection.ensureCollection(name, validator: Self.validator(minimum: 3))
        try connection.insertOne(name, ["n": 4])
        try connection.ensureCollection(name, validator: nil)
        #expect(throws: MongoError.self) { try connection.insertOne(name, ["n": 2]) }
      }
    }

    @Test func manyProcessesMayEnsureAtOnce() async throws {
      let (client, name) = try await Fixture.collection()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            try await client.withConnection { connection in
              try connection.ensureCollection(name, validator: Self.validator(minimum: 1))
              try connection.createIndexes(name, [IndexModel(keys: ["n": 1], unique: true)])
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await client.withConnection { try $0.indexNames(name) } == ["_id_", "n_1"])
    }

    @Test func indexesAreCreatedAsDescribed() async throws {
      let (client, name) = try await Fixture.collection()
      let indexes = [
        IndexModel(keys: ["a": 1, "b": -1]),
        IndexModel(keys: ["at": 1], name: "expiry", expireAfterSeconds: 60),
        IndexModel(keys: ["email": 1], name: "email", unique: true, partialFilter: ["email": ["$exists": true]]),
        IndexModel(keys: ["s": 1], sparse: true, collation: ["locale": "en", "strength": 2]),
      ]
      try await client.withConnection { connection in
        #expect(try connection.indexNames(name) == [])
        try connection.createIndexes(name, indexes)
        try connection.createIndexes(name, indexes)
        #expect(try connection.indexNames(name) == ["_id_", "a_1_b_-1", "expiry", "email", "s_1"])
        let reply = try connection.command(["listIndexes": .string(name)])
        let made = reply[path: "cursor.firstBatch"]?.arrayValue ?? []
        #expect(made[2]["expireAfterSeconds"]?.intValue == 60)
        #expect(made[3]["unique"] == true)
        #expect(made[3]["partialFilterExpression"] == ["email": ["$exists": true]])
        #expect(made[4]["sparse"] == true)
        #expect(made[4]["collation"]?["strength"]?.intValue == 2)
        let clash = #expect(throws: MongoError.self) {
          try connection.createIndexes(name, [IndexModel(keys: ["at": 1], name: "expiry", unique: true)])
        }
        #expect(clash?.kind == .invalidInput)
        try connection.dropIndex(name, "expiry")
        #expect(try connection.indexNames(name).contains("expiry") == false)
        try connection.dropCollection(name)
        try connection.dropCollection(name)
        #expect(try connection.indexNames(name) == [])
      }
    }
  }
}
