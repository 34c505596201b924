import JSON
import Testing

/// A small deterministic generator, so that a failure can be repeated.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite struct RoundTripTests {
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func anyValueComesBackAsItWas(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    for _ in 0..<500 {
      let value = randomValue(&random, depth: 0)
      #expect(try JSONValue.parse(value.encoded()) == value)
      #expect(try JSONValue.parse(value.encodedString(pretty: true)) == value)
    }
  }

  @Test(arguments: [11, 12] as [UInt64])
  func damagedTextIsRefusedWithAReasonOrParsesAndNeverCrashes(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    for _ in 0..<3_000 {
      var bytes = randomValue(&random, depth: 0).encoded()
      for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.remove(at: index)
        default: bytes.insert(Array("{}[],:\"\\0e.-u".utf8).randomElement(using: &random) ?? 0, at: index)
        }
      }
      do {
        let value = try JSONValue.parse(bytes)
        #expect(try JSONValue.parse(value.encoded()) == value)
      } catch .invalid(let message, let offset) {
        // A refusal that the diagnosis cannot place would mean that the two readers disagree.
        #expect(offset != nil, "\(message): \(String(decoding: bytes, as: UTF8.self))")
      } catch {}
    }
  }

  @Test func objectsAreEqualWhateverTheirOrder() {
    #expect(["a": 1, "b": 2] as JSONValue == ["b": 2, "a": 1])
    #expect(["a": 1, "b": 2] as JSONValue != ["a": 1, "c": 2])
    #expect(["a": 1] as JSONValue != ["a": 1, "b": 2])
    #expect(["a": 1] as JSONValue != ["a": 1.0])
    let many = (0..<100).map { (key: "k\($0)", value: JSONValue.int(Int64($0))) }
    #expect(JSONObject(many) == JSONObject(many.reversed()))
  }

  @Test func membersAreReplacedInPlaceAppendedAndRemoved() {
    var object: JSONObject = ["a": 1, "b": 2]
    object["a"] = 3
    object["c"] = 4
    object["b"] = nil
    #expect(object.keys == ["a", "c"])
    #expect(object["a"] == 3)
    #expect(object["b"] == nil)
  }

  private func randomValue(_ random: inout SplitMix64, depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth > 4 ? 5 : 8), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .int(Int64(bitPattern: random.next()) >> Int64.random(in: 0..<64, using: &random))
    case 3:
      let value = Double(bitPattern: random.next())
      return .double(value.isFinite ? value : 0.25)
    case 4, 5: return .string(randomString(&random))
    case 6:
      return .array((0..<Int.random(in: 0..<6, using: &random)).map { _ in randomValue(&random, depth: depth + 1) })
    default:
      var object = JSONObject()
      for _ in 0..<Int.random(in: 0..<20, using: &random) {
        object[randomString(&random)] = randomValue(&random, depth: depth + 1)
      }
      return .object(object)
    }
  }

  private func randomString(_ random: inout SplitMix64) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0..<12, using: &random) {
      let range: ClosedRange<UInt32> =
        [0x00...0x1F, 0x20...0x7E, 0x80...0x7FF, 0xE000...0xFFFF, 0x1_0000...0x10_FFFF].randomElement(using: &random)!
      text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: range, using: &random)) ?? "?")
    }
    return text
  }
}
