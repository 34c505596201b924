import JSON
import Testing

@Suite struct HandingOverTests {
  private struct Read: Equatable {
    var rest: JSONValue
    var elements: [JSONValue]?
  }

  private func read(_ text: String, limit: Int = 5, maxDepth: Int = 64) throws -> Read {
    var elements: [JSONValue] = []
    let (rest, handedOver) = try JSONValue.parse(
      Array(text.utf8), maxDepth: maxDepth, elementsOf: "rows", atMost: limit
    ) { index, element in
      #expect(index == elements.count)
      elements.append(element)
    }
    if !handedOver { #expect(elements.isEmpty) }
    return Read(rest: rest, elements: handedOver ? elements : nil)
  }

  @Test func elementsComeInTheirOrderAndTheRestIsWithoutThem() throws {
    #expect(
      try read(#"{"a":[1],"rows":[1,"x",{"rows":[2]},[3],null],"b":{"rows":[4]}}"#)
        == Read(rest: ["a": [1], "b": ["rows": [4]]], elements: [1, "x", ["rows": [2]], [3], nil]))
  }

  @Test(arguments: [
    "{}", #"{"rows":[]}"#, #"{"rows":{"a":1}}"#, #"{"rows":"x"}"#, #"{"rows":[1,2,3,4,5,6]}"#, "[[1]]", "7",
    #"{"a":{"rows":[1]}}"#,
  ])
  func whatIsNoSuchArrayIsAMemberLikeAnyOther(text: String) throws {
    #expect(try read(text) == Read(rest: JSONValue.parse(text), elements: nil))
  }

  @Test(arguments: [
    #"{"rows":[1],"rows":[2]}"#, #"{"rows":[],"rows":[2]}"#, #"{"rows":[1],"rows":"x"}"#,
    #"{"a":1,"rows":[1],"a":2}"#, #"{"rows":[1,{"b":{"c":1,"c":2}}]}"#, #"{"rows":[1,9223372036854775808]}"#,
    #"{"rows":["\ud800"]}"#, #"{"rows":[1]} x"#, #"{"rows":[1"#, #"{"rows":[1]"#,
  ])
  func refusesWhatTheWholeParserRefusesInTheSameWords(text: String) {
    let expected = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    let error = #expect(throws: JSONError.self) { try read(text) }
    #expect(error == expected)
  }

  @Test func otherTextsMayBeParsedMeanwhile() throws {
    let rows = (0..<200).map { "[\($0),\"row \($0)\"]" }.joined(separator: ",")
    var elements: [JSONValue] = []
    _ = try JSONValue.parse(Array("{\"rows\":[\(rows)]}".utf8), elementsOf: "rows", atMost: 200) { index, element in
      #expect((try? JSONValue.parse("[\"another text\",\(index)]")) == ["another text", .int(Int64(index))])
      #expect((try? JSONValue.parse("[")) == nil)
      elements.append(element)
    }
    #expect(elements == (0..<200).map { [.int(Int64($0)), .string("row \($0)")] })
  }

  @Test func countsTheLevelsAroundTheElements() throws {
    let text = #"{"rows":[[[1]]]}"#
    #expect(try read(text, maxDepth: 4).elements == [[[1]]])
    #expect(throws: JSONError.tooDeep(limit: 3)) { try read(text, maxDepth: 3) }
    #expect(throws: JSONError.tooDeep(limit: 1)) { try read(#"{"rows":[1]}"#, maxDepth: 1) }
  }
}
