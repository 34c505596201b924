import BSON
import Mongo
import Testing

/// Our bytes, as libbson and the server see them.
extension ServerTests {
  @Suite struct InteroperabilityTests {
    /// Sends documents on a way on which libmongoc runs `bson_validate` over each: as replacements, of nothing. There it also
    /// refuses empty keys, and operators.
    private static func validateByLibbson(_ documents: [BSONDocument]) async throws {
      let (client, name) = try await Fixture.collection()
      try await client.withConnection { connection in
        let replacements = documents.map { WriteModel.replaceOne(filter: ["n": -1], replacement: $0) }
        let result = try connection.bulkWrite(name, replacements, ordered: false)
        #expect(result.errors.map(\.message) == [])
      }
    }

    private static func hasPlainKeys(_ value: BSONValue) -> Bool {
      switch value {
      case .document(let document): hasPlainKeys(document)
      case .array(let values): values.allSatisfy(hasPlainKeys)
      case .javascriptWithScope(_, let scope): hasPlainKeys(scope)
      default: true
      }
    }

    private static func hasPlainKeys(_ document: BSONDocument) -> Bool {
      document.allSatisfy { key, value in !key.isEmpty && !key.hasPrefix("$") && hasPlainKeys(value) }
    }

    @Test func libbsonAcceptsWhateverWeWrite() async throws {
      let documents = (0..<1000 as Range<UInt64>).map { seed in
        var random = SeededGenerator(seed: seed, plainKeys: true)
        return random.document(depth: 4)
      }
      try await Self.validateByLibbson(documents)
    }

    @Test func ourValidatorAcceptsNothingThatLibbsonRefuses() async throws {
      let documents = (0..<3000 as Range<UInt64>).compactMap { seed -> BSONDocument? in
        var random = SeededGenerator(seed: seed, plainKeys: true)
        var bytes = random.document(depth: 3).bytes
        for _ in 0..<2 where bytes.count > 5 {
          bytes[Int.random(in: 4..<(bytes.count - 1), using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        guard let document = try? BSONDocument(validating: bytes), Self.hasPlainKeys(document) else { return nil }
        return document
      }
      #expect(documents.count > 100)
      try await Self.validateByLibbson(documents)
    }

    /// What keeps the two tests above honest: libbson does look.
    @Test func libbsonRefusesWhatOurValidatorRefuses() async throws {
      // A boolean that is neither. (Text that is not UTF-8 would not do: libbson 1.23 lets it pass, we do not.)
      let bytes: [UInt8] = [9, 0, 0, 0, 0x08, 0x61, 0, 2, 0]
      #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
      let error = await #expect(throws: MongoError.self) {
        try await Self.validateByLibbson([BSONDocument(unchecked: bytes)])
      }
      #expect(error?.kind == .invalidInput)
    }

    @Test func theServerKeepsEveryByte() async throws {
      let (client, name) = try await Fixture.collection()
      let documents = (0..<300 as Range<UInt64>).map { seed -> BSONDocument in
        var random = SeededGenerator(seed: seed)
        return ["_id": .int64(Int64(seed)), "v": .array(random.values(depth: 3))]
      }
      let back = try await client.withConnection { connection in
        try #require(try connection.insertMany(name, documents).errors.map(\.message) == [])
        return try connection.findAll(name, [:], FindOptions(sort: ["_id": 1]), limit: 1000)
      }
      #expect(back == documents)
    }
  }
}
