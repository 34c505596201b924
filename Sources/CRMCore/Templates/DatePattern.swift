import CivilTime

/// Seconds east of UTC at an instant, in the zone in which messages show times.
public typealias UTCOffset = @Sendable (Timestamp) -> Int

/// A small part of strftime: `%Y %m %d %B %b %H %M` and `%%`.
struct DatePattern: Sendable, Hashable {
  private enum Part: Sendable, Hashable {
    case text(String)
    case year, month, day, monthName, monthAbbreviation, hour, minute
  }

  private let parts: [Part]

  /// `%Y-%m-%d`.
  static let standard = DatePattern(parts: [.year, .text("-"), .month, .text("-"), .day])

  static let directives = "%Y %m %d %B %b %H %M %%"

  private init(parts: [Part]) { self.parts = parts }

  /// Nil when it has a directive that is not one of `directives`.
  init?(_ pattern: String) {
    var parts: [Part] = []
    var text = ""
    var characters = pattern.makeIterator()
    while let character = characters.next() {
      guard character == "%" else {
        text.append(character)
        continue
      }
      let part: Part
      switch characters.next() {
      case "Y": part = .year
      case "m": part = .month
      case "d": part = .day
      case "B": part = .monthName
      case "b": part = .monthAbbreviation
      case "H": part = .hour
      case "M": part = .minute
      case "%":
        text.append("%")
        continue
      default: return nil
      }
      if !text.isEmpty { parts.append(.text(text)) }
      text = ""
      parts.append(part)
    }
    if !text.isEmpty { parts.append(.text(text)) }
    self.parts = parts
  }

  func text(of time: Timestamp, offset: UTCOffset) -> String {
    let seconds = Self.floored(time.milliseconds, 1000).quotient &+ Int64(offset(time))
    let (days, secondOfDay) = Self.floored(seconds, 86_400)
    let date = CivilDate(daysSinceEpoch: days)
    var text = ""
    for part in parts {
      switch part {
      case .text(let literal): text += literal
      case .year: text += Self.padded(date.year, 4)
      case .month: text += Self.padded(date.month, 2)
      case .day: text += Self.padded(date.day, 2)
      case .monthName: text += Self.months[date.month - 1]
      case .monthAbbreviation: text += Self.months[date.month - 1].prefix(3)
      case .hour: text += Self.padded(Int(secondOfDay / 3600), 2)
      case .minute: text += Self.padded(Int(secondOfDay / 60 % 60), 2)
      }
    }
    return text
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]

  private static func floored(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
