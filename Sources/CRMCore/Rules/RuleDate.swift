import CivilTime

/// A length of time as written in rules. Minutes and hours are elapsed time; days and longer are steps of the calendar.
public struct RuleSpan: Hashable, Sendable {
  public enum Unit: String, Sendable, CaseIterable {
    case minute, hour, day, week, month, year

    /// A thousand years of each, so that no date leaves the calendar's range.
    var largestAmount: Int {
      switch self {
      case .minute: 525_960_000
      case .hour: 8_766_000
      case .day: 365_250
      case .week: 52_178
      case .month: 12_000
      case .year: 1_000
      }
    }
  }

  /// At least 1.
  public let amount: Int
  public let unit: Unit
}

/// A date as written in rules: an instant, or an interval of the calendar. Relative ones stay relative.
public enum RuleDate: Hashable, Sendable {
  public enum Direction: Hashable, Sendable {
    case ago, ahead
  }

  /// A piece of the calendar around now.
  public enum Period: String, Sendable, CaseIterable {
    case day
    /// From Monday.
    case week
    case month, quarter, year
  }

  case instant(Timestamp)
  case now
  case moved(RuleSpan, Direction)
  case day(CivilDate)
  /// The period that holds now (0), the one before it (-1) or after it (1).
  case period(Period, Int)

  /// True for what has a length: `today`, `2026-03-31`, `last month`.
  var isInterval: Bool {
    switch self {
    case .instant, .now, .moved: false
    case .day, .period: true
    }
  }
}

extension RuleSpan: CustomStringConvertible {
  /// As rules write it: `1 day`, `30 days`.
  public var description: String { amount == 1 ? "1 \(unit)" : "\(amount) \(unit)s" }

  /// `30 days`, `1 month`, `a week`; any case, singular or plural.
  init?(_ text: String) {
    let words = RuleDate.words(text)
    guard words.count == 2 else { return nil }
    self.init(words[0], words[1])
  }

  init?(_ amount: Substring, _ unit: Substring) {
    let singular = unit.hasSuffix("s") ? unit.dropLast() : unit
    guard let unit = Unit(rawValue: String(singular)), let amount = Self.amount(amount),
      (1...unit.largestAmount).contains(amount)
    else { return nil }
    self.init(amount: amount, unit: unit)
  }

  private static func amount(_ text: Substring) -> Int? {
    if text == "a" || text == "an" { return 1 }
    guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }
}

extension RuleDate {
  /// Why a text is no date.
  enum Misreading: Error {
    /// A day that no calendar has, such as 30 February.
    case noSuchDay
    /// A time without zone.
    case noZone
    case notADate
  }

  init(_ text: String) throws(Misreading) {
    if let relative = RuleDate(relative: text) {
      self = relative
      return
    }
    switch Self.numbers(text) {
    case .day(let year, let month, let day):
      guard year >= 1, let date = CivilDate(year: year, month: month, day: day) else { throw .noSuchDay }
      self = .day(date)
    case .time(let year, let month, let day):
      guard CivilDate(year: year, month: month, day: day) != nil else { throw .noSuchDay }
      if let instant = Timestamp(rfc3339: text), Self.writable.contains(instant.milliseconds) {
        self = .instant(instant)
      } else {
        throw Timestamp(rfc3339: text + "Z") == nil ? .notADate : .noZone
      }
    case nil: throw .notADate
    }
  }

  /// The years 1 to 9999, which RFC 3339 can write again.
  private static let writable: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

  /// Words such as `now`, `7 days ago`, `in 3 weeks`, `today`, `last month`; any case.
  init?(relative text: String) {
    let words = Self.words(text)
    switch (words.first, words.count) {
    case ("now", 1): self = .now
    case ("today", 1): self = .period(.day, 0)
    case ("yesterday", 1): self = .period(.day, -1)
    case ("tomorrow", 1): self = .period(.day, 1)
    case ("this", 2), ("last", 2), ("next", 2):
      guard let period = Period(rawValue: String(words[1])), period != .day else { return nil }
      self = .period(period, words[0] == "this" ? 0 : words[0] == "last" ? -1 : 1)
    case ("in", 3):
      guard let span = RuleSpan(words[1], words[2]) else { return nil }
      self = .moved(span, .ahead)
    case (_, 3):
      guard words[2] == "ago", let span = RuleSpan(words[0], words[1]) else { return nil }
      self = .moved(span, .ago)
    default: return nil
    }
  }

  /// At most four words of ASCII in lower case; longer texts are none of ours.
  static func words(_ text: String) -> [Substring] {
    guard text.utf8.count <= 64, text.utf8.allSatisfy({ $0 < 0x80 }) else { return [] }
    return text.lowercased().split(maxSplits: 3) { $0 == " " || $0 == "\t" }
  }

  private enum Numbers {
    case day(Int, Int, Int)
    case time(Int, Int, Int)
  }

  /// The digits of `YYYY-MM-DD`, alone or with a time behind them.
  private static func numbers(_ text: String) -> Numbers? {
    let bytes = Array(text.utf8.prefix(11))
    guard bytes.count >= 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      bytes[range].reduce(0) { value, byte in
        guard let value, (0x30...0x39).contains(byte) else { return nil }
        return value * 10 + Int(byte - 0x30)
      }
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10) else { return nil }
    return bytes.count == 10 ? .day(year, month, day) : .time(year, month, day)
  }
}

extension RuleDate: CustomStringConvertible {
  /// As rules write it, in the canonical form.
  public var description: String {
    switch self {
    case .instant(let instant): instant.description
    case .now: "now"
    case .moved(let span, .ago): "\(span) ago"
    case .moved(let span, .ahead): "in \(span)"
    case .day(let date): String(Timestamp(milliseconds: Int64(date.daysSinceEpoch) * 86_400_000).description.prefix(10))
    case .period(.day, let offset): offset == 0 ? "today" : offset < 0 ? "yesterday" : "tomorrow"
    case .period(let period, let offset): "\(offset == 0 ? "this" : offset < 0 ? "last" : "next") \(period)"
    }
  }
}
