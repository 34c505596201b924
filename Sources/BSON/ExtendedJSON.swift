extension BSONDocument {
  /// MongoDB Extended JSON v2.
  ///
  /// - Parameter canonical: keep every type (`{"$numberInt": "1"}`); otherwise the relaxed form, which writes numbers and
  ///   the dates of the years 1970 to 9999 as people do.
  public func extendedJSON(canonical: Bool = false) -> String {
    var writer = ExtendedJSONWriter(canonical: canonical)
    writer.write(self, depth: 0)
    return String(decoding: writer.text, as: UTF8.self)
  }
}

extension BSONValue {
  /// MongoDB Extended JSON v2 of this value alone.
  public func extendedJSON(canonical: Bool = false) -> String {
    var writer = ExtendedJSONWriter(canonical: canonical)
    writer.write(self, depth: 0)
    return String(decoding: writer.text, as: UTF8.self)
  }
}

/// https://github.com/mongodb/specifications/blob/master/source/extended-json.md
private struct ExtendedJSONWriter {
  var text: [UInt8] = []
  let canonical: Bool

  init(canonical: Bool) { self.canonical = canonical }

  /// Documents nested beyond the reader's limit, which a validated document has not, are written as null.
  mutating func write(_ document: BSONDocument, depth: Int) {
    guard depth <= BSONLimits.depth else { return raw("null") }
    raw("{")
    var first = true
    for (key, value) in document {
      if !first { raw(",") }
      first = false
      string(key)
      raw(":")
      write(value, depth: depth + 1)
    }
    raw("}")
  }

  mutating func write(_ value: BSONValue, depth: Int) {
    switch value {
    case .double(let value): double(value)
    case .string(let value): string(value)
    case .document(let value): write(value, depth: depth)
    case .array(let values): array(values, depth: depth)
    case .binary(let subtype, let bytes):
      raw(#"{"$binary":{"base64":""#)
      Base64.append(bytes, to: &text)
      raw(#"","subType":""# + Hex.string([subtype]) + #""}}"#)
    case .objectID(let value): wrapped("$oid", value.hex)
    case .bool(let value): raw(value ? "true" : "false")
    case .date(let milliseconds): date(milliseconds)
    case .null: raw("null")
    case .regex(let pattern, let options):
      raw(#"{"$regularExpression":{"pattern":"#)
      string(pattern)
      raw(#","options":"#)
      string(options)
      raw("}}")
    case .int32(let value): canonical ? wrapped("$numberInt", String(value)) : raw(String(value))
    case .int64(let value): canonical ? wrapped("$numberLong", String(value)) : raw(String(value))
    case .timestamp(let value): raw(#"{"$timestamp":{"t":\#(value >> 32),"i":\#(value & 0xFFFF_FFFF)}}"#)
    case .decimal128(let low, let high): wrapped("$numberDecimal", Decimal128Text.string(low: low, high: high))
    case .minKey: raw(#"{"$minKey":1}"#)
    case .maxKey: raw(#"{"$maxKey":1}"#)
    case .undefined: raw(#"{"$undefined":true}"#)
    case .javascript(let code): wrapped("$code", code)
    case .symbol(let symbol): wrapped("$symbol", symbol)
    case .javascriptWithScope(let code, let scope):
      raw(#"{"$code":"#)
      string(code)
      raw(#","$scope":"#)
      write(scope, depth: depth + 1)
      raw("}")
    case .dbPointer(let namespace, let id):
      raw(#"{"$dbPointer":{"$ref":"#)
      string(namespace)
      raw(#","$id":{"$oid":"\#(id.hex)"}}}"#)
    }
  }

  private mutating func array(_ values: [BSONValue], depth: Int) {
    raw("[")
    for (index, value) in values.enumerated() {
      if index > 0 { raw(",") }
      write(value, depth: depth + 1)
    }
    raw("]")
  }

  private mutating func double(_ value: Double) {
    if value.isFinite {
      canonical ? wrapped("$numberDouble", value.description) : raw(value.description)
    } else {
      wrapped("$numberDouble", value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
    }
  }

  private mutating func date(_ milliseconds: Int64) {
    // The last millisecond of the year 9999.
    if canonical || milliseconds < 0 || milliseconds > 253_402_300_799_999 {
      raw(#"{"$date":{"$numberLong":"\#(milliseconds)"}}"#)
    } else {
      wrapped("$date", ISO8601.string(milliseconds: milliseconds))
    }
  }

  private mutating func wrapped(_ key: String, _ value: String) {
    raw(#"{"\#(key)":"#)
    string(value)
    raw("}")
  }

  private mutating func raw(_ part: String) { text.append(contentsOf: part.utf8) }

  private mutating func string(_ value: String) {
    raw("\"")
    for byte in value.utf8 {
      switch byte {
      case 0x22: raw("\\\"")
      case 0x5C: raw("\\\\")
      case 0x08: raw("\\b")
      case 0x0C: raw("\\f")
      case 0x0A: raw("\\n")
      case 0x0D: raw("\\r")
      case 0x09: raw("\\t")
      case 0..<0x20: raw("\\u00" + Hex.string([byte]))
      default: text.append(byte)
      }
    }
    raw("\"")
  }
}
