import BSON
import CMongoC
import Mongo
import Testing

/// Our bytes, as libbson and the server see them.
extension ServerTests {
  @Suite struct InteroperabilityTests {
    private static func isValidForLibbson(_ bytes: [UInt8]) -> Bool {
      bytes.withUnsafeBufferPointer { buffer in
        guard let bson = bson_new_from_data(buffer.baseAddress, buffer.count) else { return false }
        defer { bson_destroy(bson) }
        return bson_validate(
          bson, bson_validate_flags_t(rawValue: BSON_VALIDATE_UTF8.rawValue | BSON_VALIDATE_UTF8_ALLOW_NULL.rawValue),
          nil)
      }
    }

    @Test func libbsonAcceptsWhateverWeWrite() {
      for seed in 0..<1000 as Range<UInt64> {
        var random = SeededGenerator(seed: seed)
        #expect(Self.isValidForLibbson(random.document(depth: 4).bytes), "seed \(seed)")
      }
    }

    @Test func ourValidatorAcceptsNothingThatLibbsonRefuses() {
      var accepted = 0
      for seed in 0..<3000 as Range<UInt64> {
        var random = SeededGenerator(seed: seed)
        var bytes = random.document(depth: 3).bytes
        for _ in 0..<2 where bytes.count > 5 {
          bytes[Int.random(in: 4..<(bytes.count - 1), using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        guard (try? BSONDocument(validating: bytes)) != nil else { continue }
        accepted += 1
        #expect(Self.isValidForLibbson(bytes), "seed \(seed)")
      }
      #expect(accepted > 100)
    }

    @Test func libbsonWritesTheSameCanonicalJSON() {
      let document: BSONDocument = [
        "i": .int32(1), "l": .int64(-2), "d": .double(0.5), "s": "é\"\\", "o": .objectID(ObjectID()), "b": true,
        "n": nil,
        "t": .date(milliseconds: 1), "y": .binary(subtype: 4, bytes: [UInt8](0..<16)), "a": [["x": 1]],
        "e": .decimal128(low: 123, high: 0x303e_0000_0000_0000), "ts": .timestamp(1 << 32 | 2), "min": .minKey,
        "r": .regex(pattern: "^a", options: "i"),
      ]
      let theirs = document.bytes.withUnsafeBufferPointer { buffer -> String in
        guard let bson = bson_new_from_data(buffer.baseAddress, buffer.count) else { return "" }
        defer { bson_destroy(bson) }
        guard let text = bson_as_canonical_extended_json(bson, nil) else { return "" }
        defer { bson_free(text) }
        return String(cString: text)
      }
      // libbson spaces its JSON; no string here has a space.
      #expect(document.extendedJSON(canonical: true) == theirs.filter { $0 != " " })
    }

    @Test func theServerKeepsEveryByte() async throws {
      let (client, name) = try await Fixture.collection()
      var sent: [BSONDocument] = []
      for seed in 0..<300 as Range<UInt64> {
        var random = SeededGenerator(seed: seed)
        // Keys of stored documents must not begin with a dollar sign everywhere; below one field they may.
        sent.append(["_id": .int64(Int64(seed)), "v": .array(random.values(depth: 3).map(Self.storable))])
      }
      let documents = sent
      let back = try await client.withConnection { connection in
        try #require(try connection.insertMany(name, documents).errors.map(\.message) == [])
        return try connection.findAll(name, [:], FindOptions(sort: ["_id": 1]), limit: 1000)
      }
      #expect(back == documents)
    }

    /// The server replaces the timestamp 0, and only that.
    private static func storable(_ value: BSONValue) -> BSONValue {
      if case .timestamp(0) = value { .null } else { value }
    }
  }
}
