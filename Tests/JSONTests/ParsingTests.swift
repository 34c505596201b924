import JSON
import Testing

@Suite struct ParsingTests {
  static let valid: [(String, JSONValue)] = [
    ("null", JSONValue.null), ("true", true), ("false", false), ("0", 0), ("-0", 0), ("7", 7), ("-12", -12),
    ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
    ("1.0", 1.0), ("-0.5e-3", -0.0005), ("1E2", 100.0), ("1e+2", 100.0), ("5e-324", .double(.leastNonzeroMagnitude)),
    ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
    (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
    (#""\ud83d\ude00""#, "😀"), (#""a\u0000b""#, "a\0b"), ("\"é€😀\u{7f}\"", "é€😀\u{7f}"),
    ("[]", []), ("{}", [:]), (" \t\r\n[ 1 , [ ] , { } ]\n", [1, [], [:]]),
    (#"{"a":1,"b":[true,null],"c":{"d":"x"}}"#, ["a": 1, "b": [true, nil], "c": ["d": "x"]]),
    (#"{"":1," ":2}"#, ["": 1, " ": 2]),
  ]

  @Test(arguments: valid)
  func acceptsWhatRFC8259Allows(text: String, expected: JSONValue) throws {
    #expect(try JSONValue.parse(text) == expected)
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "True", "tru", "+1", "01", "-01", "1.", ".5", "-", "1e", "1e+", "0x10", "1_000", "NaN",
    "Infinity", "-Infinity", "'a'", "\"", "\"a", #""\"#, #""\x41""#, #""\u12""#, #""\u12g4""#, #""\U0041""#, "\"\n\"",
    "\"\t\"",
    "\"\u{0}\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{,}", "{1:2}", "{a:1}", #"{"a"}"#,
    #"{"a":}"#, #"{"a":1"#, #"{"a":1,}"#, #"{"a" 1}"#, #"{"a":1 "b":2}"#, "1 2", "[] []", "{}x", "// c\n1", "/**/1",
    "\u{feff}1",
    "\u{a0}1", "[1\u{c}]", #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\ud83d\n""#,
    #"{"\udead":1}"#,
  ])
  func refusesWhatRFC8259ForbidsAndSaysWhere(text: String) {
    let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    guard case .invalid(let message, let offset) = error else {
      Issue.record("\(text): \(String(describing: error))")
      return
    }
    #expect(!message.isEmpty)
    #expect(offset != nil)
    #expect(error?.description.hasPrefix("malformed JSON: ") == true)
  }

  @Test(
    arguments: [
      [0x22, 0xC0, 0x80, 0x22],  // overlong NUL
      [0x22, 0xC1, 0xBF, 0x22], [0x22, 0xE0, 0x80, 0xAF, 0x22], [0x22, 0xF0, 0x80, 0x80, 0xAF, 0x22],  // overlong
      [0x22, 0xED, 0xA0, 0x80, 0x22],  // a surrogate
      [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],  // beyond U+10FFFF
      [0x22, 0xFF, 0x22], [0x22, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
    ] as [[UInt8]])
  func refusesInvalidUTF8AtItsOffset(bytes: [UInt8]) {
    #expect(throws: JSONError.invalid(message: "invalid UTF-8", offset: 1)) { try JSONValue.parse(bytes) }
  }

  @Test func namesTheCharacterThatIsWrong() {
    #expect(throws: JSONError.invalid(message: "unexpected '}' where a value should be", offset: 5)) {
      try JSONValue.parse(#"{"a":}"#)
    }
    #expect(throws: JSONError.invalid(message: "unexpected end in an array", offset: 2)) { try JSONValue.parse("[1") }
  }

  @Test(arguments: [
    "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "123456789012345678901234567890", "1e400", "-1e400",
  ])
  func refusesNumbersThatDoNotFit(text: String) {
    #expect(throws: JSONError.numberOutOfRange(number: text, offset: 1)) { try JSONValue.parse("[\(text)]") }
  }

  @Test(arguments: [1, 2, 63, 64, 500])
  func limitsNesting(limit: Int) throws {
    func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    func objects(_ depth: Int) -> String {
      String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
    }
    for text in [nested(limit), objects(limit)] {
      _ = try JSONValue.parse(text, maxDepth: limit)
    }
    for text in [nested(limit + 1), objects(limit + 1), nested(100_000), String(repeating: "[", count: 100_000)] {
      #expect(throws: JSONError.tooDeep(limit: limit)) { try JSONValue.parse(text, maxDepth: limit) }
    }
  }

  @Test(arguments: [
    (#"{"a":1,"a":1}"#, "a"), (#"{"a":1,"\u0061":2}"#, "a"), (#"[0,{"x":{"y":[{"k":1,"k":2}]}}]"#, "[1].x.y[0].k"),
    (#"{"leads":[{"name":"a"},{"name":"b","name":"c"}]}"#, "leads[1].name"),
  ])
  func refusesDuplicateKeysWithTheirPath(text: String, path: String) {
    #expect(throws: JSONError.duplicateKey(path: path)) { try JSONValue.parse(text) }
  }

  @Test func refusesADuplicateKeyInALargeObject() throws {
    let members = (0..<5_000).map { "\"k\($0)\":\($0)" }
    #expect(try JSONValue.parse("{\(members.joined(separator: ","))}").objectValue?.count == 5_000)
    #expect(throws: JSONError.duplicateKey(path: "k17")) {
      try JSONValue.parse("{\((members + ["\"k17\":0"]).joined(separator: ","))}")
    }
  }

  @Test func parsesADocumentLargerThanTheKeptBuffers() throws {
    let text = "[" + Array(repeating: #""0123456789abcdef""#, count: 150_000).joined(separator: ",") + "]"
    #expect(try JSONValue.parse(text).arrayValue?.count == 150_000)
    #expect(try JSONValue.parse("[1]") == [1])
  }

  @Test func aFailureLeavesNothingBehindForTheNextText() throws {
    for _ in 0..<3 {
      #expect(throws: JSONError.self) { try JSONValue.parse(#"{"a":[1,2"#) }
      #expect(try JSONValue.parse(#"{"a":[1,2]}"#) == ["a": [1, 2]])
    }
  }

  @Test func concurrentParsesDoNotMix() async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          for round in 0..<200 {
            let value = try JSONValue.parse(#"{"task":\#(task),"rounds":[\#(round),\#(round + 1)]}"#)
            #expect(value["task"]?.intValue == Int64(task))
            #expect(value["rounds"]?[1]?.intValue == Int64(round + 1))
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
