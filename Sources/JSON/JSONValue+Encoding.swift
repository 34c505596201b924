extension JSONValue {
  /// The value as JSON text in UTF-8.
  public func encoded(pretty: Bool = false) -> [UInt8] {
    if pretty {
      var bytes: [UInt8] = []
      appendPretty(to: &bytes, indentation: 0)
      return bytes
    }
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }

  public func encodedString(pretty: Bool = false) -> String { String(decoding: encoded(pretty: pretty), as: UTF8.self) }

  /// Two spaces a level, a member or element a line; empty containers stay on one.
  private func appendPretty(to bytes: inout [UInt8], indentation: Int) {
    func newline(_ depth: Int) {
      bytes.append(0x0A)
      bytes.append(contentsOf: repeatElement(0x20, count: 2 * depth))
    }
    switch self {
    case .array(let elements) where !elements.isEmpty:
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        newline(indentation + 1)
        element.appendPretty(to: &bytes, indentation: indentation + 1)
      }
      newline(indentation)
      bytes.append(UInt8(ascii: "]"))
    case .object(let object) where !object.isEmpty:
      bytes.append(UInt8(ascii: "{"))
      for (index, entry) in object.entries.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        newline(indentation + 1)
        bytes.append(contentsOf: JSONValue.string(entry.key).encoded())
        bytes.append(contentsOf: ": ".utf8)
        entry.value.appendPretty(to: &bytes, indentation: indentation + 1)
      }
      newline(indentation)
      bytes.append(UInt8(ascii: "}"))
    default:
      bytes.append(contentsOf: encoded())
    }
  }
}
