import BSON
import Foundation
import Testing

private struct Inner: Codable, Equatable {
  var tags: [String]
  var scores: [[Double]]
}

private struct Everything: Codable, Equatable {
  var id: ObjectID
  var name: String
  var small: Int32
  var wide: Int64
  var plain: Int
  var byte: UInt8
  var ratio: Double
  var ok: Bool
  var at: Date
  var uuid: UUID
  var data: Data
  var raw: [UInt8]
  var price: BSONDecimal128
  var inner: Inner
  var many: [Inner]
  var byName: [String: Int]
  var any: BSONValue
  var document: BSONDocument
  var missing: String?
  var present: String?
  var holes: [Int?]
  var empty: [String]
}

@Suite struct CodableTests {
  private let everything = Everything(
    id: ObjectID(), name: "é", small: -1, wide: .max, plain: 7, byte: 200, ratio: 0.1, ok: true,
    at: Date(timeIntervalSince1970: 1_774_953_000.123), uuid: UUID(), data: Data([1, 2]), raw: [3, 4],
    price: BSONDecimal128(low: 1, high: 0x303e_0000_0000_0000), inner: Inner(tags: ["a"], scores: [[1], []]),
    many: [Inner(tags: [], scores: [])], byName: ["x": 1], any: .regex(pattern: "a", options: "i"),
    document: ["k": nil], missing: nil, present: "here", holes: [1, nil, 3], empty: [])

  @Test func everythingRoundTrips() throws {
    let document = try BSONEncoder().encode(everything)
    _ = try BSONDocument(validating: document.bytes)
    #expect(try BSONDecoder().decode(Everything.self, from: document) == everything)
  }

  @Test func typesAreWrittenAsBSONsOwn() throws {
    let document = try BSONEncoder().encode(everything)
    #expect(document["id"] == .objectID(everything.id))
    #expect(document["small"] == .int32(-1))
    #expect(document["plain"] == .int64(7))
    #expect(document["byte"] == .int32(200))
    #expect(document["at"] == .date(milliseconds: 1_774_953_000_123))
    #expect(document["uuid"]?.uuidBytes?.count == 16)
    #expect(document["data"] == .binary(subtype: 0, bytes: [1, 2]))
    #expect(document["raw"] == .binary(subtype: 0, bytes: [3, 4]))
    #expect(document["price"]?.type == .decimal128)
    #expect(document["holes"] == [1, nil, 3])
    #expect(document["empty"] == [])
    #expect(!document.contains(key: "missing"))
  }

  private struct Optionals: Codable, Equatable {
    var a: Int?
    var nested: [String: Int?]?
  }

  @Test func nullAndMissingBothDecodeAsNil() throws {
    let decoder = BSONDecoder()
    #expect(try decoder.decode(Optionals.self, from: [:]) == Optionals(a: nil, nested: nil))
    #expect(try decoder.decode(Optionals.self, from: ["a": nil]) == Optionals(a: nil, nested: nil))
    let nested: [String: Int?] = ["x": nil, "y": 1]
    #expect(
      try decoder.decode(Optionals.self, from: ["nested": ["x": nil, "y": 1]]) == Optionals(a: nil, nested: nested))
  }

  private struct Explicit: Encodable {
    enum CodingKeys: CodingKey { case gone }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeNil(forKey: .gone)
    }
  }

  @Test func explicitNilIsNull() throws {
    #expect(try BSONEncoder().encode(Explicit()) == ["gone": nil])
  }

  private struct Numbers: Codable, Equatable {
    var int: Int
    var tiny: Int8
    var double: Double
  }

  @Test func integersComeFromAnyExactNumber() throws {
    let decoder = BSONDecoder()
    #expect(
      try decoder.decode(Numbers.self, from: ["int": 3.0, "tiny": .int32(4), "double": 5])
        == Numbers(int: 3, tiny: 4, double: 5))
    for bad in [["int": 3.5, "tiny": 1, "double": 1], ["int": 3, "tiny": 128, "double": 1]] as [BSONDocument] {
      #expect(throws: DecodingError.self) { try decoder.decode(Numbers.self, from: bad) }
    }
    #expect(throws: DecodingError.self) {
      try decoder.decode(Numbers.self, from: ["int": 1, "tiny": 1, "double": 9_007_199_254_740_993])
    }
  }

  @Test func errorsNameTheWholePath() throws {
    var document = try BSONEncoder().encode(everything)
    document["many"] = [["tags": [], "scores": []], ["tags": ["a", 1], "scores": []]]
    let error = #expect(throws: DecodingError.self) { try BSONDecoder().decode(Everything.self, from: document) }
    guard case .typeMismatch(_, let context) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(context.codingPath.map(\.stringValue) == ["many", "1", "tags", "1"])
    #expect(context.debugDescription.contains("int64"))
  }

  @Test func whatBSONCannotHoldIsAnError() {
    #expect(throws: EncodingError.self) { try BSONEncoder().encode(["a": UInt64.max]) }
    #expect(throws: EncodingError.self) { try BSONEncoder().encode(["a\u{0}b": 1]) }
    #expect(throws: EncodingError.self) { try BSONEncoder().encode([1, 2]) }
    #expect(throws: EncodingError.self) { try BSONEncoder().encode(["a": Date(timeIntervalSince1970: 1e300)]) }
    #expect(throws: EncodingError.self) { try JSONEncoder().encode(["a": BSONValue.null]) }
  }

  @Test func objectIDsAreHexInOtherFormats() throws {
    let id = ObjectID()
    let json = try JSONEncoder().encode([id])
    #expect(String(decoding: json, as: UTF8.self) == "[\"\(id.hex)\"]")
    #expect(try JSONDecoder().decode([ObjectID].self, from: json) == [id])
  }

  private class Base: Codable {
    var a = 1
  }

  private final class Derived: Base {
    var b = 2
    private enum Keys: CodingKey { case b }
    override init() { super.init() }
    required init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      b = try container.decode(Int.self, forKey: .b)
      try super.init(from: container.superDecoder())
    }
    override func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Keys.self)
      try container.encode(b, forKey: .b)
      try super.encode(to: container.superEncoder())
    }
  }

  @Test func inheritanceUsesTheSuperKey() throws {
    let value = Derived()
    value.a = 10
    let document = try BSONEncoder().encode(value)
    #expect(document == ["b": 2, "super": ["a": 10]])
    #expect(try BSONDecoder().decode(Derived.self, from: document).a == 10)
  }
}
