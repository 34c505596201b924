import BSON
import Testing

/// Bytes from outside are refused precisely, and never read out of bounds.
@Suite struct MalformedTests {
  @Test(
    arguments: [
      ([], BSONError.badFrame(offset: 0)),
      ([5, 0, 0, 0], .badFrame(offset: 0)),
      ([6, 0, 0, 0, 0], .badFrame(offset: 0)),
      ([5, 0, 0, 0, 1], .badFrame(offset: 0)),
      ([0xFF, 0xFF, 0xFF, 0xFF, 0], .badFrame(offset: 0)),
      ([8, 0, 0, 0, 0x20, 0x61, 0, 0], .unknownType(0x20, offset: 4)),
      ([8, 0, 0, 0, 0x0A, 0x61, 0x61, 0], .truncated(offset: 4)),
      ([9, 0, 0, 0, 0x10, 0x61, 0, 1, 0], .truncated(offset: 4)),
      ([9, 0, 0, 0, 0x08, 0x61, 0, 2, 0], .badValue("a boolean is 0 or 1", offset: 7)),
      ([8, 0, 0, 0, 0x0A, 0xFF, 0, 0], .invalidUTF8(offset: 5)),
      ([13, 0, 0, 0, 2, 0x61, 0, 1, 0, 0, 0, 7, 0], .badValue("a string's length and NUL disagree", offset: 7)),
      ([13, 0, 0, 0, 2, 0x61, 0, 0, 0, 0, 0, 0, 0], .truncated(offset: 4)),
      ([13, 0, 0, 0, 2, 0x61, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0], .truncated(offset: 4)),
      ([13, 0, 0, 0, 3, 0x61, 0, 4, 0, 0, 0, 0, 0], .truncated(offset: 4)),
      ([13, 0, 0, 0, 3, 0x61, 0, 5, 0, 0, 0, 1, 0], .badFrame(offset: 7)),
      ([14, 0, 0, 0, 2, 0x61, 0, 2, 0, 0, 0, 0xC3, 0, 0], .invalidUTF8(offset: 11)),
    ] as [([UInt8], BSONError)])
  func refusesWith(bytes: [UInt8], expected: BSONError) {
    #expect(throws: expected) { try BSONDocument(validating: bytes) }
  }

  @Test func nestingIsBounded() throws {
    func nested(_ levels: Int) -> BSONDocument {
      var document = BSONDocument()
      for _ in 1..<levels { document = ["a": .document(document)] }
      return document
    }
    _ = try BSONDocument(validating: nested(100).bytes)
    #expect(throws: BSONError.tooDeep(limit: 100, offset: 700)) { try BSONDocument(validating: nested(101).bytes) }
  }

  @Test func deepArraysThatWereNeverValidatedDoNotExhaustTheStack() {
    let levels = 200_000
    var bytes: [UInt8] = []
    // Each level: length, type, key "0"; the innermost is empty.
    for level in stride(from: levels, to: 0, by: -1) {
      let length = UInt32(level * 8 + 5)
      bytes += withUnsafeBytes(of: length.littleEndian) { Array($0) } + [4, 0x30, 0]
    }
    bytes += [5, 0, 0, 0, 0] + [UInt8](repeating: 0, count: levels)
    let document = BSONDocument(unchecked: bytes)
    #expect(document.bytes.count == levels * 8 + 5)
    #expect(document["0"] == nil)
    #expect(document.map(\.key).isEmpty)
    #expect(document.extendedJSON() == "{}")
  }

  @Test func aWrongFrameReadsAsTheEmptyDocument() {
    for bytes in [[], [1], [9, 0, 0, 0, 0], [5, 0, 0, 0, 7]] as [[UInt8]] {
      var document = BSONDocument(unchecked: bytes)
      #expect(document.isEmpty)
      document.append("a", 1)
      #expect(document == ["a": 1])
    }
  }

  /// Every use of a damaged document ends, and what the validator accepts reads back completely.
  @Test func damagedDocumentsAreSafeToRead() {
    var accepted = 0
    for seed in 0..<3000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var bytes = random.document(depth: 3).bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) where bytes.count > 5 {
        // The frame stays whole, so that the damage is reached.
        let place = Int.random(in: 4..<(bytes.count - 1), using: &random)
        bytes[place] = random.bytes().first ?? 0xFF
      }
      let document = BSONDocument(unchecked: bytes)
      let read = document.map { $0 }
      _ = document.extendedJSON()
      _ = document.extendedJSON(canonical: true)
      _ = document[path: "a.0.a"]
      _ = document.value(at: document.keys)
      if (try? BSONDocument(validating: bytes)) != nil {
        accepted += 1
        #expect(read.count == document.count, "seed \(seed)")
      }
    }
    #expect(accepted > 100)
  }

  @Test func prefixesOfADocumentAreRefused() {
    var random = SeededGenerator(seed: 42)
    var document = random.document(depth: 3)
    document.append("last", "value")
    for length in 0..<document.bytes.count {
      #expect(throws: BSONError.self) { try BSONDocument(validating: Array(document.bytes.prefix(length))) }
    }
  }
}
