/// `6233` → `6,233`.
func grouped(_ number: Int) -> String {
  var digits = String(number.magnitude)
  var at = digits.count - 3
  while at > 0 {
    digits.insert(",", at: digits.index(digits.startIndex, offsetBy: at))
    at -= 3
  }
  return (number < 0 ? "-" : "") + digits
}

/// A number with so many decimals.
func fixed(_ number: Double, _ decimals: Int) -> String {
  guard number.isFinite else { return "–" }
  var scale = 1
  for _ in 0..<decimals { scale *= 10 }
  let scaled = Int((number * Double(scale)).rounded())
  guard decimals > 0 else { return grouped(scaled) }
  let fraction = String(scaled.magnitude % UInt(scale))
  let sign = scaled < 0 && scaled / scale == 0 ? "-" : ""
  return sign + grouped(scaled / scale) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
}

/// `24,000–32,000`, or one number where both ends are the same.
func span(_ range: ClosedRange<Double>) -> String {
  let (low, high) = (fixed(range.lowerBound, 0), fixed(range.upperBound, 0))
  return low == high ? low : "\(low)–\(high)"
}

/// Rows of cells as lines: the first column to the left, the others to the right.
func aligned(_ rows: [[String]]) -> [String] {
  var widths: [Int] = []
  for row in rows {
    for (column, cell) in row.enumerated() {
      if column == widths.count { widths.append(0) }
      widths[column] = max(widths[column], cell.count)
    }
  }
  return rows.map { row in
    let cells = row.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return column == 0 ? cell + padding : padding + cell
    }
    let line = "  " + cells.joined(separator: "  ")
    return String(line.reversed().drop { $0 == " " }.reversed())
  }
}
