enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
    var index = 0
    while index < bytes.count {
      let part = min(3, bytes.count - index)
      var group: UInt32 = 0
      for offset in 0..<3 { group = group << 8 | (offset < part ? UInt32(bytes[index + offset]) : 0) }
      for digit in 0..<4 {
        text.append(digit <= part ? alphabet[Int(group >> UInt32(18 - 6 * digit)) & 63] : UInt8(ascii: "="))
      }
      index += 3
    }
  }
}

enum ISO8601 {
  /// A date of the years 1970 to 9999 as `2026-03-31T10:30:00Z`, with milliseconds when there are some.
  static func string(milliseconds: Int64) -> String {
    let (days, rest) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
    let (year, month, day) = civil(daysSinceEpoch: days)
    let fraction = rest % 1000
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
      + "T\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):\(padded(rest / 1000 % 60, 2))"
      + (fraction == 0 ? "Z" : ".\(padded(fraction, 3))Z")
  }

  /// The Gregorian date; eras of 400 years that begin on 1 March, so that leap days end their year.
  private static func civil(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let days = daysSinceEpoch + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (
      era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    )
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// https://github.com/mongodb/specifications/blob/master/source/bson-decimal128/decimal128.md
enum Decimal128Text {
  /// The largest coefficient of 34 digits; larger ones are not canonical and mean zero.
  private static let largest = UInt128(10_000_000_000_000_000) * 1_000_000_000_000_000_000 - 1

  static func string(low: UInt64, high: UInt64) -> String {
    let sign = high >> 63 == 1 ? "-" : ""
    let combination = high >> 58 & 0x1F
    if combination == 0x1F { return "NaN" }
    if combination == 0x1E { return sign + "Infinity" }
    let biased: UInt64
    var coefficient: UInt128
    if combination >> 3 == 3 {
      // The large form, whose coefficients all exceed 34 digits.
      biased = high >> 47 & 0x3FFF
      coefficient = 0
    } else {
      biased = high >> 49 & 0x3FFF
      coefficient = UInt128(high & 0x1_FFFF_FFFF_FFFF) << 64 | UInt128(low)
      if coefficient > largest { coefficient = 0 }
    }
    return sign + text(digits: String(coefficient), exponent: Int(biased) - 6176)
  }

  private static func text(digits: String, exponent: Int) -> String {
    let scientific = digits.count - 1 + exponent
    if exponent > 0 || scientific < -6 {
      let fraction = digits.dropFirst()
      return "\(digits.prefix(1))\(fraction.isEmpty ? "" : ".")\(fraction)E\(scientific < 0 ? "" : "+")\(scientific)"
    }
    if exponent == 0 { return digits }
    let whole = digits.count + exponent
    if whole > 0 { return "\(digits.prefix(whole)).\(digits.dropFirst(whole))" }
    return "0." + String(repeating: "0", count: -whole) + digits
  }
}
