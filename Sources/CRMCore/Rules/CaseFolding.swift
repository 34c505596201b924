import Foundation

/// The case folding of MongoDB's regular expressions with the option `i`, a code point at a time: é = É, K = the Kelvin
/// sign, s = ſ; but ß ≠ ss, and no letter equals its decomposed form.
enum CaseFolding {
  /// What `scalar` and every other code point that matches it have in common.
  static func fold(_ scalar: UInt32) -> UInt32 {
    if scalar < 0x80 { return UInt32(fold(ascii: UInt8(truncatingIfNeeded: scalar))) }
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

  @inline(__always)
  static func fold(ascii byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

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
  /// Folded.
  let needle: [UInt8]

  init(_ text: String) {
    self.text = text
    var copy = text
    needle = copy.withUTF8 { CaseFolding.fold($0) }
  }

  /// Whether a folded text lies within a text of any case.
  static func find(_ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer) -> Bool {
    guard text.contains(where: { $0 >= 0x80 }) else {
      return withUnsafeTemporaryAllocation(byteCount: text.count, alignment: 1) { folded in
        for index in text.indices { folded[index] = CaseFolding.fold(ascii: text[index]) }
        return isContained(needle, in: UnsafeRawBufferPointer(folded))
      }
    }
    let folded = CaseFolding.fold(text.bindMemory(to: UInt8.self))
    return folded.withUnsafeBytes { isContained(needle, in: $0) }
  }

  private static func isContained(_ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer) -> Bool {
    guard let wanted = needle.baseAddress, let first = needle.first else { return true }
    guard let base = text.baseAddress, needle.count <= text.count else { return false }
    for start in 0...(text.count - needle.count) where text[start] == first {
      if memcmp(base + start, wanted, needle.count) == 0 { return true }
    }
    return false
  }
}
