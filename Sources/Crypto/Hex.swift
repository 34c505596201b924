/// Bytes as lower-case hexadecimal text.
public func hexString(_ bytes: some Collection<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(unsafeUninitializedCapacity: 2 * bytes.count) { buffer in
    var position = 0
    for byte in bytes {
      buffer.initializeElement(at: position, to: digits[Int(byte >> 4)])
      buffer.initializeElement(at: position + 1, to: digits[Int(byte & 15)])
      position += 2
    }
    return position
  }
}
