import BSON
import Testing

@Suite struct ExtendedJSONTests {
  @Test(
    arguments: [
      (.int32(1), "1", #"{"$numberInt":"1"}"#),
      (.int64(-9_007_199_254_740_993), "-9007199254740993", #"{"$numberLong":"-9007199254740993"}"#),
      (.double(1), "1.0", #"{"$numberDouble":"1.0"}"#),
      (.double(.nan), #"{"$numberDouble":"NaN"}"#, #"{"$numberDouble":"NaN"}"#),
      (.double(-.infinity), #"{"$numberDouble":"-Infinity"}"#, #"{"$numberDouble":"-Infinity"}"#),
      (.string("a\"\\\n\u{1}é"), #""a\"\\\n\u0001é""#, #""a\"\\\n\u0001é""#),
      (
        .date(milliseconds: 1_774_953_000_000), #"{"$date":"2026-03-31T10:30:00Z"}"#,
        #"{"$date":{"$numberLong":"1774953000000"}}"#
      ),
      (
        .date(milliseconds: 951_782_400_001), #"{"$date":"2000-02-29T00:00:00.001Z"}"#,
        #"{"$date":{"$numberLong":"951782400001"}}"#
      ),
      (.date(milliseconds: -1), #"{"$date":{"$numberLong":"-1"}}"#, #"{"$date":{"$numberLong":"-1"}}"#),
      (
        .date(milliseconds: 253_402_300_799_999), #"{"$date":"9999-12-31T23:59:59.999Z"}"#,
        #"{"$date":{"$numberLong":"253402300799999"}}"#
      ),
      (
        .date(milliseconds: 253_402_300_800_000), #"{"$date":{"$numberLong":"253402300800000"}}"#,
        #"{"$date":{"$numberLong":"253402300800000"}}"#
      ),
      (
        .binary(subtype: 0x80, bytes: [0xFF]), #"{"$binary":{"base64":"/w==","subType":"80"}}"#,
        #"{"$binary":{"base64":"/w==","subType":"80"}}"#
      ),
      (
        .binary(subtype: 0, bytes: [1, 2, 3, 4, 5]), #"{"$binary":{"base64":"AQIDBAU=","subType":"00"}}"#,
        #"{"$binary":{"base64":"AQIDBAU=","subType":"00"}}"#
      ),
      (.timestamp(5 << 32 | 7), #"{"$timestamp":{"t":5,"i":7}}"#, #"{"$timestamp":{"t":5,"i":7}}"#),
      (
        .regex(pattern: "^a", options: "ix"), #"{"$regularExpression":{"pattern":"^a","options":"ix"}}"#,
        #"{"$regularExpression":{"pattern":"^a","options":"ix"}}"#
      ),
      (
        .array([nil, true, .minKey, .maxKey, .undefined]),
        #"[null,true,{"$minKey":1},{"$maxKey":1},{"$undefined":true}]"#,
        #"[null,true,{"$minKey":1},{"$maxKey":1},{"$undefined":true}]"#
      ),
      (
        .javascriptWithScope(code: "x", scope: ["x": .int32(1)]), #"{"$code":"x","$scope":{"x":1}}"#,
        #"{"$code":"x","$scope":{"x":{"$numberInt":"1"}}}"#
      ),
    ] as [(BSONValue, String, String)])
  func forms(value: BSONValue, relaxed: String, canonical: String) {
    #expect(value.extendedJSON() == relaxed)
    #expect(value.extendedJSON(canonical: true) == canonical)
    let document: BSONDocument = ["v": value]
    #expect(document.extendedJSON() == #"{"v":\#(relaxed)}"#)
  }

  /// From the tests of the specification.
  @Test(
    arguments: [
      (0x3040_0000_0000_0000, 0, "0"), (0xb040_0000_0000_0000, 0, "-0"), (0x3040_0000_0000_0000, 1, "1"),
      (0x303e_0000_0000_0000, 1, "0.1"), (0x3036_0000_0000_0000, 0x4996_02d2, "12345.67890"),
      (0x3046_0000_0000_0000, 1, "1E+3"), (0x3032_0000_0000_0000, 1, "1E-7"), (0x3034_0000_0000_0000, 1, "0.000001"),
      (0x5ffe_314d_c644_8d93, 0x38c1_5b0a_0000_0000, "1.000000000000000000000000000000000E+6144"),
      (0x7c00_0000_0000_0000, 0, "NaN"), (0x7800_0000_0000_0000, 0, "Infinity"),
      (0xf800_0000_0000_0000, 0, "-Infinity"),
    ] as [(UInt64, UInt64, String)])
  func decimals(high: UInt64, low: UInt64, text: String) {
    #expect(BSONDecimal128(low: low, high: high).description == text)
    #expect(BSONValue.decimal128(low: low, high: high).extendedJSON() == #"{"$numberDecimal":"\#(text)"}"#)
  }
}
