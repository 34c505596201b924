import JSON
import Testing

@Suite struct WritingTests {
  @Test func writesMembersAndElementsWithTheirCommas() {
    var writer = JSONWriter()
    writer.beginObject()
    writer.field("s", "x")
    writer.field("i", 1)
    writer.field("d", 5.0)
    writer.field("b", true)
    writer.key("a")
    writer.beginArray()
    writer.int(1)
    writer.beginObject()
    writer.endObject()
    writer.beginArray()
    writer.endArray()
    writer.null()
    writer.endArray()
    writer.field("v", ["k": [1, nil]])
    writer.key("r")
    writer.raw(#"{"z":0}"#.utf8)
    writer.endObject()
    #expect(
      String(decoding: writer.bytes, as: UTF8.self)
        == #"{"s":"x","i":1,"d":5.0,"b":true,"a":[1,{},[],null],"v":{"k":[1,null]},"r":{"z":0}}"#)
  }

  @Test func escapesWhatMustBeEscapedAndNothingElse() {
    #expect(
      JSONValue.string("\"\\/\u{8}\u{c}\n\r\t\0\u{1}\u{1f}\u{7f}é😀\u{2028}").encodedString()
        == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\u{7f}é😀\u{2028}\"")
  }

  @Test func findsAnEscapeAtEveryPlaceOfAWord() throws {
    for special in ["\"", "\\", "\n", "\0", "\u{1f}"] {
      for before in 0..<20 {
        for after in [0, 1, 7, 8, 9] {
          let text =
            String(repeating: "é", count: before / 2) + String(repeating: "~", count: before % 2) + special
            + String(repeating: " ", count: after)
          #expect(try JSONValue.parse(JSONValue.string(text).encoded()) == .string(text))
        }
      }
    }
  }

  @Test(
    arguments: [
      (0.0, "0.0"), (-0.0, "-0.0"), (5, "5.0"), (0.1, "0.1"), (1e21, "1e+21"), (1.5e-7, "1.5e-07"), (.nan, "null"),
      (.infinity, "null"),
    ] as [(Double, String)])
  func writesDoublesSoThatTheyStayDoubles(value: Double, text: String) {
    #expect(JSONValue.double(value).encodedString() == text)
  }

  @Test func writesTheExtremesOfIntegers() {
    #expect(
      JSONValue.array([.int(.min), .int(.max), 0, -1, 10, 100]).encodedString()
        == "[-9223372036854775808,9223372036854775807,0,-1,10,100]")
  }

  @Test func writesPrettyTextThatParsesToTheSameValue() throws {
    let value: JSONValue = ["a": [1, ["b": []]], "c": [:]]
    #expect(
      value.encodedString(pretty: true) == """
        {
          "a": [
            1,
            {
              "b": []
            }
          ],
          "c": {}
        }
        """)
    #expect(try JSONValue.parse(value.encoded(pretty: true)) == value)
  }
}
