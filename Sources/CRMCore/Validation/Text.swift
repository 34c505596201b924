extension String {
  /// Without white space at either end.
  var trimmed: String {
    // Nearly all input has none: two byte comparisons then spare the copy.
    if let first = utf8.first, let last = utf8.last, first > 0x20, first < 0x80, last > 0x20, last < 0x80 {
      return self
    }
    guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace }) else {
      return ""
    }
    return String(self[start...end])
  }
}

enum Text {
  /// What is wrong with the text's length in code points, if anything.
  static func lengthProblem(_ text: String, _ length: ClosedRange<Int>) -> FieldProblem? {
    let bytes = text.utf8.count
    // A code point takes one to four bytes, which decides most cases without counting.
    if bytes <= length.upperBound, bytes >= length.lowerBound * 4 { return nil }
    let count = text.unicodeScalars.count
    if count < length.lowerBound {
      if count == 0 { return FieldProblem("required", "must not be empty") }
      return FieldProblem("too_short", "must have at least \(length.lowerBound) characters")
    }
    if count > length.upperBound {
      return FieldProblem("too_long", "must have at most \(length.upperBound) characters")
    }
    return nil
  }
}
