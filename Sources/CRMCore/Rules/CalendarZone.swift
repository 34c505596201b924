import CivilTime
import Foundation

/// A time zone of the tz database, for turning days of the calendar into instants.
public struct CalendarZone: Hashable, Sendable {
  /// `Asia/Kolkata`, `UTC`.
  public let identifier: String
  private let zone: TimeZone?

  public static let utc = CalendarZone(identifier: "UTC", zone: nil)

  private init(identifier: String, zone: TimeZone?) {
    self.identifier = identifier
    self.zone = zone
  }

  /// A zone by its name in the tz database; nil when there is none of that name. Abbreviations such as `PST`, which mean
  /// several zones, are refused.
  public init?(identifier: String) {
    if identifier == "UTC" || identifier == "Etc/UTC" {
      self.init(identifier: identifier, zone: nil)
      return
    }
    // Only what a name of the tz database consists of: Foundation takes it for a path.
    guard identifier.utf8.count <= 64, identifier.utf8.contains(UInt8(ascii: "/")),
      identifier.utf8.allSatisfy(Self.isNameCharacter), let zone = TimeZone(identifier: identifier)
    else { return nil }
    self.init(identifier: identifier, zone: zone)
  }

  /// Milliseconds by which local time is ahead of UTC at an instant.
  func offset(at milliseconds: Int64) -> Int64 {
    guard let zone else { return 0 }
    let date = Date(timeIntervalSince1970: (Double(milliseconds) / 1000).rounded(.down))
    return Int64(zone.secondsFromGMT(for: date)) * 1000
  }

  /// The day, and the milliseconds since its midnight by the clock on the wall.
  func local(_ milliseconds: Int64) -> (date: CivilDate, timeOfDay: Int64) {
    let wall = milliseconds + offset(at: milliseconds)
    let day = wall >= 0 ? wall / Self.day : (wall - Self.day + 1) / Self.day
    return (CivilDate(daysSinceEpoch: day), wall - day * Self.day)
  }

  /// The instant of a wall clock time. Of a time that comes twice, the first; a time that is skipped moves on by what was
  /// skipped, as the clock did.
  func instant(_ date: CivilDate, timeOfDay: Int64) -> Int64 {
    let wall = Int64(date.daysSinceEpoch) * Self.day + timeOfDay
    let (before, after) = (offset(at: wall - Self.day), offset(at: wall + Self.day))
    let candidates = [wall - before, wall - after].filter { $0 + offset(at: $0) == wall }
    return candidates.min() ?? wall - before
  }

  /// The first instant of a day: midnight, or, where the clock skips midnight, the moment of the change.
  func start(of date: CivilDate) -> Int64 {
    let wall = Int64(date.daysSinceEpoch) * Self.day
    let midnight = instant(date, timeOfDay: 0)
    guard midnight + offset(at: midnight) != wall else { return midnight }
    // The clock jumped over midnight within this day or the one before: find the jump to the millisecond.
    var (low, high) = (wall - 2 * Self.day, midnight)
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if middle + offset(at: middle) >= wall { high = middle } else { low = middle }
    }
    return high
  }

  private static let day: Int64 = 86_400_000

  private static func isNameCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "/"):
      true
    default: false
    }
  }
}
