/// The case folding of MongoDB's regular expressions with the option `i`, a code point at a time: é = É, K = the Kelvin
/// sign, s = ſ; but ß ≠ ss, and no letter equals its decomposed form.
enum CaseFolding {
  /// What `scalar` and every other code point that matches it have in common.
  static func fold(_ scalar: UInt32) -> UInt32 {
    if scalar < 0x80 { return scalar &- 0x41 < 26 ? scalar | 0x20 : scalar }
    // The first run that does not end before the code point.
    var (low, high) = (0, table.count)
    while low < high {
      let middle = (low + high) / 2
      if table[middle].last < scalar { low = middle + 1 } else { high = middle }
    }
    guard low < table.count, table[low].first <= scalar, (scalar - table[low].first) % table[low].step == 0 else {
      return scalar
    }
    return UInt32(truncatingIfNeeded: Int64(scalar) + Int64(table[low].shift))
  }

  /// The folded text in UTF-8. A text contains another without regard to case when its folded bytes do: no code point's
  /// encoding begins within another's.
  static func fold(_ utf8: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var folded: [UInt8] = []
    folded.reserveCapacity(utf8.count + 8)
    var decoder = UTF8()
    var bytes = utf8.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&bytes) {
      let value = fold(scalar.value)
      if value < 0x80 {
        folded.append(UInt8(truncatingIfNeeded: value))
      } else if let scalar = Unicode.Scalar(value) {
        folded.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
      }
    }
    return folded
  }
}

/// A text to look for without regard to case.
struct FoldedText: Sendable {
  /// As written.
  let text: String
  private let needle: [UInt8]
  private let isASCII: Bool

  init(_ text: String) {
    self.text = text
    var copy = text
    needle = copy.withUTF8 { CaseFolding.fold($0) }
    isASCII = needle.allSatisfy { $0 < 0x80 }
  }

  func isContained(in text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      if isASCII, !bytes.contains(where: { $0 >= 0x80 }) { return isContained(inASCII: bytes) }
      let folded = CaseFolding.fold(bytes)
      return folded.withUnsafeBufferPointer { Self.find(needle, in: $0) { $0 } }
    }
  }

  private func isContained(inASCII bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    Self.find(needle, in: bytes) { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
  }

  private static func find(
    _ needle: [UInt8], in bytes: UnsafeBufferPointer<UInt8>, fold: (UInt8) -> UInt8
  ) -> Bool {
    guard let first = needle.first else { return true }
    guard bytes.count >= needle.count else { return false }
    return needle.withUnsafeBufferPointer { needle in
      for start in 0...(bytes.count - needle.count) where fold(bytes[start]) == first {
        var index = 1
        while index < needle.count, fold(bytes[start + index]) == needle[index] { index += 1 }
        if index == needle.count { return true }
      }
      return false
    }
  }
}
