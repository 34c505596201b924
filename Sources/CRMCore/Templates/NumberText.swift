/// Numbers as people read them.
enum NumberText {
  /// The shortest text that is this number; without a fraction where there is none.
  static func plain(_ value: Double) -> String {
    if let integer = Int64(exactly: value), integer.magnitude < 1 << 53 { return String(integer) }
    return value.description
  }

  static func grouped(_ value: Int64, decimals: Int) -> String {
    let text = (value < 0 ? "-" : "") + grouped(digits: String(value.magnitude))
    return decimals == 0 ? text : text + "." + String(repeating: "0", count: decimals)
  }

  /// Rounded half away from zero to a number of decimals, or, with nil, as precise as it is.
  static func grouped(_ value: Double, decimals: Int?) -> String {
    if let integer = Int64(exactly: value) { return grouped(integer, decimals: decimals ?? 0) }
    // Beyond Int64 there are no decimals left, and nobody groups 1e+30.
    guard value.isFinite, value.magnitude < 9e15 else { return value.description }
    guard let decimals else { return groupingInteger(of: value.description) }
    let scale = (0..<decimals).reduce(Int64(1)) { scale, _ in scale * 10 }
    var whole = Int64(value.magnitude)
    // The fraction of a double is a double: only the product is rounded.
    var fraction = Int64(((value.magnitude - Double(whole)) * Double(scale)).rounded())
    if fraction == scale {
      whole += 1
      fraction = 0
    }
    let sign = value < 0 && (whole > 0 || fraction > 0) ? "-" : ""
    let text = sign + grouped(digits: String(whole))
    guard decimals > 0 else { return text }
    let digits = String(fraction)
    return text + "." + String(repeating: "0", count: decimals - digits.utf8.count) + digits
  }

  private static func groupingInteger(of text: String) -> String {
    guard !text.contains("e"), let point = text.firstIndex(of: ".") else { return text }
    let integer = text[..<point]
    let digits = integer.drop { $0 == "-" }
    return (integer.first == "-" ? "-" : "") + grouped(digits: String(digits)) + text[point...]
  }

  private static func grouped(digits: String) -> String {
    let count = digits.utf8.count
    guard count > 3 else { return digits }
    var text = ""
    text.reserveCapacity(count + count / 3)
    for (index, digit) in digits.enumerated() {
      if index > 0, (count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }
}
