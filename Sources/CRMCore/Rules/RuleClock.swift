import CivilTime

/// What dates in rules mean at one instant in one zone.
struct RuleClock {
  let now: Timestamp
  let zone: CalendarZone
  private let today: CivilDate
  private let timeOfDay: Int64

  init(now: Timestamp, zone: CalendarZone) {
    self.now = now
    self.zone = zone
    (today, timeOfDay) = zone.local(now.milliseconds)
  }

  /// A date in milliseconds since the epoch.
  enum Resolved: Equatable {
    case instant(Int64)
    /// From `start` on, up to but without `end`.
    case interval(start: Int64, end: Int64)

    /// The first millisecond.
    var first: Int64 {
      switch self {
      case .instant(let instant): instant
      case .interval(let start, _): start
      }
    }

    /// The first millisecond after it.
    var end: Int64 {
      switch self {
      case .instant(let instant): instant + 1
      case .interval(_, let end): end
      }
    }
  }

  func resolve(_ date: RuleDate) -> Resolved {
    switch date {
    case .instant(let instant): .instant(instant.milliseconds)
    case .now: .instant(now.milliseconds)
    case .moved(let span, .ago): .instant(now(movedBy: span, -1))
    case .moved(let span, .ahead): .instant(now(movedBy: span, 1))
    case .day(let date): interval(date, date.adding(days: 1))
    case .period(let period, let offset): interval(first(period, offset), first(period, offset + 1))
    }
  }

  /// Now and a span before or after it; both ends belong to it.
  func window(_ span: RuleSpan, _ direction: RuleDate.Direction) -> (first: Int64, last: Int64) {
    switch direction {
    case .ago: (now(movedBy: span, -1), now.milliseconds)
    case .ahead: (now.milliseconds, now(movedBy: span, 1))
    }
  }

  /// The same as a range; a step of the calendar can be no time at all.
  func range(_ span: RuleSpan, _ direction: RuleDate.Direction) -> ClosedRange<Int64> {
    let (first, last) = window(span, direction)
    return first...max(first, last)
  }

  private func now(movedBy span: RuleSpan, _ sign: Int) -> Int64 {
    let amount = span.amount * sign
    return switch span.unit {
    case .minute: now.milliseconds + Int64(amount) * 60_000
    case .hour: now.milliseconds + Int64(amount) * 3_600_000
    case .day: zone.instant(today.adding(days: amount), timeOfDay: timeOfDay)
    case .week: zone.instant(today.adding(days: 7 * amount), timeOfDay: timeOfDay)
    case .month: zone.instant(today.adding(months: amount), timeOfDay: timeOfDay)
    case .year: zone.instant(today.adding(months: 12 * amount), timeOfDay: timeOfDay)
    }
  }

  private func interval(_ first: CivilDate, _ next: CivilDate) -> Resolved {
    .interval(start: zone.start(of: first), end: zone.start(of: next))
  }

  /// The first day of a period, counted from the one that holds today.
  private func first(_ period: RuleDate.Period, _ offset: Int) -> CivilDate {
    let firstOfMonth = today.adding(days: 1 - today.day)
    return switch period {
    case .day: today.adding(days: offset)
    case .week: today.adding(days: 1 - today.weekday + 7 * offset)
    case .month: firstOfMonth.adding(months: offset)
    case .quarter: firstOfMonth.adding(months: -((today.month - 1) % 3) + 3 * offset)
    case .year: firstOfMonth.adding(months: 1 - today.month + 12 * offset)
    }
  }
}
