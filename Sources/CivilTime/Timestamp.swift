/// An instant in milliseconds since 1970-01-01T00:00:00Z, the resolution of a BSON date and of every record's time.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since the Unix epoch; negative before it.
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

  /// This instant moved by a duration, rounded toward zero to milliseconds.
  public func advanced(by duration: Duration) -> Timestamp {
    Timestamp(milliseconds: milliseconds &+ duration.wholeMilliseconds)
  }

  /// Time from `other` to this instant.
  public func since(_ other: Timestamp) -> Duration { .milliseconds(milliseconds &- other.milliseconds) }

  /// RFC 3339 in UTC with milliseconds: `2026-03-31T10:30:00.000Z`. Years outside 0–9999 are written with more digits
  /// or a sign and do not parse again.
  public var description: String {
    let (days, millisecondOfDay) = milliseconds.flooredDivision(by: 86_400_000)
    let date = CivilDate(daysSinceEpoch: days)
    let second = millisecondOfDay / 1000
    var text = ""
    text.reserveCapacity(24)
    text.append(padded: Int64(date.year), width: 4)
    text += "-"
    text.append(padded: Int64(date.month), width: 2)
    text += "-"
    text.append(padded: Int64(date.day), width: 2)
    text += "T"
    text.append(padded: second / 3600, width: 2)
    text += ":"
    text.append(padded: second / 60 % 60, width: 2)
    text += ":"
    text.append(padded: second % 60, width: 2)
    text += "."
    text.append(padded: millisecondOfDay % 1000, width: 3)
    text += "Z"
    return text
  }

  /// Parses RFC 3339 `date-time` (section 5.6): `T` or a space, any number of fraction digits (cut to milliseconds), `Z`
  /// or a numeric offset. Impossible dates such as 30 February are refused; a leap second counts as the second before.
  public init?(rfc3339 text: String) {
    var text = text
    let parsed: Int64? = text.withUTF8 { bytes in
      var scanner = DigitScanner(bytes: bytes)
      guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2), scanner.skip("-"),
        let day = scanner.digits(2), scanner.skip(oneOf: "T", "t", " "),
        let hour = scanner.digits(2), hour < 24, scanner.skip(":"),
        let minute = scanner.digits(2), minute < 60, scanner.skip(":"),
        let second = scanner.digits(2), second <= 60,
        let date = CivilDate(year: year, month: month, day: day)
      else { return nil }
      var fraction = 0
      if scanner.skip(".") {
        guard let value = scanner.fraction() else { return nil }
        fraction = value
      }
      var offsetMinutes = 0
      if !scanner.skip(oneOf: "Z", "z", "Z") {
        let sign: Int
        if scanner.skip("+") { sign = 1 } else if scanner.skip("-") { sign = -1 } else { return nil }
        guard let hours = scanner.digits(2), hours < 24, scanner.skip(":"), let minutes = scanner.digits(2),
          minutes < 60
        else { return nil }
        offsetMinutes = sign * (hours * 60 + minutes)
      }
      guard scanner.atEnd else { return nil }
      let secondOfDay = hour * 3600 + minute * 60 + min(second, 59)
      return Int64(date.daysSinceEpoch) * 86_400_000 + Int64(secondOfDay * 1000 + fraction)
        - Int64(offsetMinutes) * 60_000
    }
    guard let parsed else { return nil }
    self.init(milliseconds: parsed)
  }
}

extension Duration {
  /// Whole milliseconds, cut toward zero.
  public var wholeMilliseconds: Int64 { components.seconds &* 1000 &+ components.attoseconds / 1_000_000_000_000_000 }

  /// This duration as seconds with fraction, as metrics want it.
  public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension Int64 {
  /// Quotient rounded down and the non-negative remainder.
  func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

extension String {
  fileprivate mutating func append(padded value: Int64, width: Int) {
    let digits = String(value.magnitude)
    if value < 0 { self += "-" }
    for _ in 0..<max(0, width - digits.utf8.count) { self += "0" }
    self += digits
  }
}

/// Reads fixed-width decimal fields from ASCII.
struct DigitScanner {
  let bytes: UnsafeBufferPointer<UInt8>
  var index = 0

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  var atEnd: Bool { index == bytes.count }

  mutating func digits(_ count: Int) -> Int? {
    guard index + count <= bytes.count else { return nil }
    var value = 0
    for offset in index..<index + count {
      let digit = Int(bytes[offset]) - 48
      guard digit >= 0, digit <= 9 else { return nil }
      value = value * 10 + digit
    }
    index += count
    return value
  }

  /// One or more digits after a decimal point, as milliseconds.
  mutating func fraction() -> Int? {
    var value = 0
    var count = 0
    while index < bytes.count, bytes[index] >= 48, bytes[index] <= 57 {
      if count < 3 { value = value * 10 + Int(bytes[index] - 48) }
      count += 1
      index += 1
    }
    guard count > 0 else { return nil }
    for _ in 0..<max(0, 3 - count) { value *= 10 }
    return value
  }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
    index += 1
    return true
  }

  mutating func skip(oneOf first: Unicode.Scalar, _ second: Unicode.Scalar, _ third: Unicode.Scalar) -> Bool {
    skip(first) || skip(second) || skip(third)
  }
}
