import BSON
import Testing

@Suite struct DocumentTests {
  @Test func bytesAreThoseOfTheSpecification() {
    #expect(BSONDocument().bytes == [5, 0, 0, 0, 0])
    // The two examples of bsonspec.org.
    let hello: BSONDocument = ["hello": "world"]
    #expect(hello.bytes == [0x16, 0, 0, 0, 2] + Array("hello\0".utf8) + [6, 0, 0, 0] + Array("world\0".utf8) + [0])
    let awesome: BSONDocument = ["BSON": ["awesome", 5.05, .int32(1986)]]
    #expect(
      awesome.bytes == [0x31, 0, 0, 0, 4] + Array("BSON\0".utf8) + [0x26, 0, 0, 0, 2, 0x30, 0, 8, 0, 0, 0]
        + Array("awesome\0".utf8) + [1, 0x31, 0, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33, 0x14, 0x40]
        + [0x10, 0x32, 0, 0xC2, 7, 0, 0, 0, 0])
  }

  @Test func typedAppendsWriteWhatTheirValuesWrite() {
    let id = ObjectID()
    let uuid = [UInt8](0..<16)
    var typed = BSONDocument(capacity: 64)
    typed.append("s", "text")
    typed.append("i", 7)
    typed.append("l", Int64(8))
    typed.append("n", Int32(9))
    typed.append("d", 1.5)
    typed.append("b", true)
    typed.append("o", id)
    typed.appendDate("t", milliseconds: -1)
    typed.appendUUID("u", uuid)
    typed.appendNull("z")
    typed.append("e", document: ["x": 1])
    typed.appendDocument("f") { $0.append("y", 2) }
    typed.appendArray("a") { array in
      array.append("one")
      array.append(2)
      array.append(document: ["three": 3])
      array.appendUUID(uuid)
      array.appendNull()
    }
    let literal: BSONDocument = [
      "s": "text", "i": 7, "l": 8, "n": .int32(9), "d": 1.5, "b": true, "o": .objectID(id),
      "t": .date(milliseconds: -1), "u": .uuid(uuid), "z": nil, "e": ["x": 1], "f": ["y": 2],
      "a": ["one", 2, ["three": 3], .uuid(uuid), nil],
    ]
    #expect(typed == literal)
    #expect(literal.count == 13)
    #expect(literal.keys == ["s", "i", "l", "n", "d", "b", "o", "t", "u", "z", "e", "f", "a"])
  }

  @Test(arguments: [0, 1, 2, 10, 11, 101, 1001])
  func stringsAreWrittenAsTheArrayOfTheirValues(count: Int) throws {
    let strings = (0..<count).map { ["", "é€😀", "a\0b", "number \($0)"][$0 % 4] }
    var document: BSONDocument = ["before": 1]
    document.append("list", strings: strings)
    document.append("after", 2)
    #expect(document == ["before": 1, "list": .array(strings.map { .string($0) }), "after": 2])
    #expect(try BSONDocument(validating: document.bytes) == document)
  }

  @Test func literalsNestAsFiltersDo() throws {
    let ids: [BSONValue] = [1, 2]
    let filter: BSONDocument = ["_id": ["$in": .array(ids)], "rank": ["$lt": 3]]
    #expect(filter[path: "_id.$in.1"] == 2)
    #expect(filter.value(at: ["rank", "$lt"]) == 3)
    #expect(filter[path: "rank.$gt"] == nil)
    #expect(filter[path: "rank.$lt.deeper"] == nil)
  }

  @Test func everyDocumentReadsBackAsItWasWritten() throws {
    for seed in 0..<500 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let pairs = random.pairs(depth: 4)
      let document = BSONDocument(pairs)
      let checked = try BSONDocument(validating: document.bytes)
      #expect(checked.map(\.key).elementsEqual(pairs.map(\.key)), "seed \(seed)")
      #expect(checked.map(\.value) == pairs.map(\.value), "seed \(seed)")
      #expect(BSONDocument(checked.map { $0 }).bytes == document.bytes, "seed \(seed)")
    }
  }

  @Test func lookupComparesBytesAndFindsTheFirst() {
    var document: BSONDocument = ["é": 1, "ab": 2, "a": 3]
    document.append("a", 4)
    #expect(document["a"] == 3)
    #expect(document["é"] == 1)
    #expect(document["e\u{301}"] == nil)
    #expect(document["abc"] == nil)
    #expect(document.contains(key: "ab"))
  }

  @Test func subscriptReplacesInPlaceAppendsAndRemoves() throws {
    var document: BSONDocument = ["a": 1, "b": "two", "c": 3]
    document["b"] = ["longer", "than", "before"]
    document["d"] = .null
    document["a"] = nil
    #expect(document == ["b": ["longer", "than", "before"], "c": 3, "d": nil])
    _ = try BSONDocument(validating: document.bytes)
    document["b"] = nil
    document["c"] = nil
    document["d"] = nil
    #expect(document.isEmpty)
  }

  @Test func appendingContentsKeepsOrder() {
    var document: BSONDocument = ["a": 1]
    document.append(contentsOf: [:])
    document.append(contentsOf: ["b": 2, "c": 3])
    #expect(document == ["a": 1, "b": 2, "c": 3])
  }

  @Test func elementsCompareKeysWithoutDecoding() {
    let document: BSONDocument = ["state": "queued", "rank": 5]
    let found = document.elements.first { $0.keyIs("rank") }
    #expect(found?.value == 5)
    #expect(found?.type == .int64)
    #expect(document.elements.contains { $0.keyIs("ran") } == false)
  }

  @Test func equalityIsThatOfBytes() {
    #expect(BSONValue.int32(1) != .int64(1))
    #expect(BSONValue.string("é") != .string("e\u{301}"))
    #expect(BSONValue.double(.nan) == .double(.nan))
    #expect(BSONValue.double(0) != .double(-0.0))
    #expect(BSONDocument(dictionaryLiteral: ("a", 1), ("b", 2)) != ["b": 2, "a": 1])
    #expect(Set<BSONValue>([1, .int32(1), "é", "e\u{301}", 1]).count == 4)
  }

  @Test func numbersAreReadAcrossTheirTypes() {
    #expect(BSONValue.int32(7).int64Value == 7)
    #expect(BSONValue.double(7).intValue == 7)
    #expect(BSONValue.double(7.5).intValue == nil)
    #expect(BSONValue.double(1e300).intValue == nil)
    #expect(BSONValue.int64(7).doubleValue == 7.0)
    #expect(BSONValue.bool(true).int64Value == nil)
  }
}

@Suite struct InvalidKeyTests {
  private let hostile = "name\u{0}\u{1}$where"

  @Test func checkedAppendRefusesNUL() {
    var document = BSONDocument()
    #expect(throws: BSONError.invalidKey(hostile)) { try document.append(checking: hostile, 1) }
    #expect(document.isEmpty)
    #expect(!BSONDocument.isValidKey(hostile))
    #expect(BSONDocument.isValidKey("name"))
  }

  @Test func plainAppendMarksTheDocumentAndKeepsItsStructure() throws {
    var document: BSONDocument = ["before": 1]
    document.append(hostile, "x")
    document.append("after", 2)
    #expect(document.hasInvalidKey)
    let read = try BSONDocument(validating: document.bytes)
    #expect(read.keys == ["before", "name\u{FFFD}\u{1}$where", "after"])
  }

  @Test func theMarkSpreadsToWhateverHoldsTheDocument() {
    let marked: BSONDocument = [hostile: 1]
    var appended = BSONDocument()
    appended.append(contentsOf: marked)
    var replaced: BSONDocument = ["a": 1]
    replaced["a"] = .document(marked)
    let outer: BSONDocument = ["a": [["b": .document(marked)]]]
    let scoped: BSONDocument = ["a": .javascriptWithScope(code: "", scope: marked)]
    let pattern: BSONDocument = ["a": .regex(pattern: "x\u{0}y", options: "")]
    for document in [appended, replaced, outer, scoped, pattern] { #expect(document.hasInvalidKey) }
    #expect(!(["a": "text may hold \u{0}"] as BSONDocument).hasInvalidKey)
  }
}
