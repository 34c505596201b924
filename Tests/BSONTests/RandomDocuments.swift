import BSON

/// A small generator with a seed, so that a failing case can be run again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  /// Keys that are neither empty nor begin with a dollar sign.
  private let plainKeys: Bool

  init(seed: UInt64, plainKeys: Bool = false) {
    state = seed
    self.plainKeys = plainKeys
  }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func string() -> String {
    let alphabet: [Character] = ["a", "é", "e\u{301}", "日", "😀", "\"", "\\", "\n", "$", ".", " ", "\u{1}"]
    return String((0..<Int.random(in: 0...9, using: &self)).map { _ in alphabet.randomElement(using: &self) ?? "a" })
  }

  mutating func key() -> String { (plainKeys ? "k" : "") + string() }

  mutating func bytes() -> [UInt8] {
    (0..<Int.random(in: 0...20, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func objectID() -> ObjectID {
    ObjectID(bytes: (0..<12).map { _ in UInt8.random(in: 0...255, using: &self) }) ?? ObjectID()
  }

  mutating func value(depth: Int) -> BSONValue {
    switch Int.random(in: 0...(depth > 0 ? 20 : 17), using: &self) {
    case 0: .double(Double(bitPattern: next()))
    case 1: .string(string() + "\u{0}" + string())
    case 2: .binary(subtype: [0, 2, 4, 5, 0x80].randomElement(using: &self) ?? 0, bytes: bytes())
    case 3: .objectID(objectID())
    case 4: .bool(Bool.random(using: &self))
    case 5: .date(milliseconds: Int64(bitPattern: next()))
    case 6: .null
    case 7: .regex(pattern: string(), options: "imx")
    case 8: .int32(Int32.random(in: .min ... .max, using: &self))
    case 9: .int64(Int64(bitPattern: next()))
    case 10: .timestamp(next())
    case 11: .decimal128(low: next(), high: next())
    case 12: .minKey
    case 13: .maxKey
    case 14: .javascript(string())
    case 15: .symbol(string())
    case 16: .dbPointer(namespace: string(), id: objectID())
    case 17: .undefined
    case 18: .document(document(depth: depth - 1))
    case 19: .javascriptWithScope(code: string(), scope: document(depth: depth - 1))
    default: .array(values(depth: depth - 1))
    }
  }

  mutating func values(depth: Int) -> [BSONValue] {
    (0..<Int.random(in: 0...12, using: &self)).map { _ in value(depth: depth) }
  }

  mutating func pairs(depth: Int) -> [(key: String, value: BSONValue)] {
    (0..<Int.random(in: 0...8, using: &self)).map { _ in (key(), value(depth: depth)) }
  }

  mutating func document(depth: Int) -> BSONDocument { BSONDocument(pairs(depth: depth)) }
}
