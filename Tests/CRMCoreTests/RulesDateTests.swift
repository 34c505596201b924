import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct RulesDateTests {
  /// Which of these instants, given as RFC 3339, a condition on `last_order_at` accepts.
  private func accepted(
    _ op: String, _ value: JSONValue, of instants: [String], now: String = "2026-03-31T10:30:00Z",
    in zoneName: String = "UTC"
  ) throws -> [String] {
    let zone = try zone(zoneName)
    let rule = condition("last_order_at", op, value)
    return try instants.filter {
      try matches(rule, ["last_order_at": try date($0)], now: try instant(now), zone: zone)
    }
  }

  /// The first and the last millisecond that `=` accepts are these, and not the ones outside.
  private func expectInterval(
    _ text: String, from first: String, to next: String, now: String = "2026-03-31T10:30:00Z",
    in zoneName: String = "UTC"
  ) throws {
    let (start, end) = (try instant(first), try instant(next))
    let probes = [start.milliseconds - 1, start.milliseconds, end.milliseconds - 1, end.milliseconds]
      .map { Timestamp(milliseconds: $0).description }
    let comment = "\(text) at \(now) in \(zoneName)"
    #expect(
      try accepted("=", .string(text), of: probes, now: now, in: zoneName) == [probes[1], probes[2]], "\(comment)")
  }

  @Test(arguments: [
    ("today", "2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("yesterday", "2026-03-30T00:00:00Z", "2026-03-31T00:00:00Z"),
    ("Tomorrow", "2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z"),
    ("this week", "2026-03-30T00:00:00Z", "2026-04-06T00:00:00Z"),
    ("last week", "2026-03-23T00:00:00Z", "2026-03-30T00:00:00Z"),
    ("next week", "2026-04-06T00:00:00Z", "2026-04-13T00:00:00Z"),
    ("THIS MONTH", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("last month", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("next month", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"),
    ("this quarter", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("last quarter", "2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("next quarter", "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"),
    ("this year", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ("last year", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ("next  year", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
    ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
  ])
  func wordsOfTheCalendarAreIntervals(text: String, first: String, next: String) throws {
    try expectInterval(text, from: first, to: next)
  }

  @Test func weeksBeginOnMonday() throws {
    try expectInterval(
      "this week", from: "2026-03-23T00:00:00Z", to: "2026-03-30T00:00:00Z", now: "2026-03-29T23:59:59Z")
    try expectInterval(
      "this week", from: "2026-03-30T00:00:00Z", to: "2026-04-06T00:00:00Z", now: "2026-03-30T00:00:00Z")
  }

  @Test func daysBeginAtMidnightInTheZone() throws {
    try expectInterval(
      "today", from: "2026-03-31T18:30:00Z", to: "2026-04-01T18:30:00Z", now: "2026-03-31T20:00:00Z", in: "Asia/Kolkata"
    )
    try expectInterval("2026-07-04", from: "2026-07-04T04:00:00Z", to: "2026-07-05T04:00:00Z", in: "America/New_York")
  }

  @Test func daysOnWhichTheClockChangesAreLongerOrShorter() throws {
    try expectInterval("2026-03-29", from: "2026-03-28T23:00:00Z", to: "2026-03-29T22:00:00Z", in: "Europe/Berlin")
    try expectInterval("2026-10-25", from: "2026-10-24T22:00:00Z", to: "2026-10-25T23:00:00Z", in: "Europe/Berlin")
    // Midnight is skipped: the day begins at 01:00 local time.
    try expectInterval("2018-11-04", from: "2018-11-04T03:00:00Z", to: "2018-11-05T02:00:00Z", in: "America/Sao_Paulo")
    // Midnight comes twice: the day begins at the first.
    try expectInterval("2026-11-01", from: "2026-11-01T04:00:00Z", to: "2026-11-02T05:00:00Z", in: "America/Havana")
  }

  @Test func aDayThatTheZoneSkippedHasNoInstant() throws {
    let around = ["2011-12-30T09:59:59.999Z", "2011-12-30T10:00:00Z"]
    #expect(try accepted("=", "2011-12-29", of: around, in: "Pacific/Apia") == [around[0]])
    #expect(try accepted("=", "2011-12-30", of: around, in: "Pacific/Apia") == [])
    #expect(try accepted("=", "2011-12-31", of: around, in: "Pacific/Apia") == [around[1]])
  }

  @Test(arguments: [
    ("now", "2026-03-31T10:30:00Z", "2026-03-31T10:30:00Z"),
    ("30 minutes ago", "2026-03-31T10:30:00Z", "2026-03-31T10:00:00Z"),
    ("an hour ago", "2026-03-31T10:30:00Z", "2026-03-31T09:30:00Z"),
    ("7 days ago", "2026-03-31T10:30:00Z", "2026-03-24T10:30:00Z"),
    ("1 Week Ago", "2026-03-31T10:30:00Z", "2026-03-24T10:30:00Z"),
    ("in 3 weeks", "2026-03-31T10:30:00Z", "2026-04-21T10:30:00Z"),
    ("a month ago", "2026-03-31T10:30:00Z", "2026-02-28T10:30:00Z"),
    ("1 months ago", "2024-03-31T10:30:00Z", "2024-02-29T10:30:00Z"),
    ("in 1 month", "2026-03-31T10:30:00Z", "2026-04-30T10:30:00Z"),
    ("1 year ago", "2024-02-29T12:00:00Z", "2023-02-28T12:00:00Z"),
    ("in 4 years", "2024-02-29T12:00:00Z", "2028-02-29T12:00:00Z"),
    ("2026-03-31T12:30:00+02:00", "2026-01-01T00:00:00Z", "2026-03-31T10:30:00Z"),
  ])
  func wordsOfDistanceAreInstants(text: String, now: String, expected: String) throws {
    let exactly = try instant(expected).milliseconds
    let probes = [exactly - 1, exactly, exactly + 1].map { Timestamp(milliseconds: $0).description }
    #expect(try accepted("=", .string(text), of: probes, now: now) == [probes[1]])
    #expect(try accepted(">", .string(text), of: probes, now: now) == [probes[2]])
    #expect(try accepted("<=", .string(text), of: probes, now: now) == [probes[0], probes[1]])
  }

  @Test func daysAgoKeepTheTimeOnTheWallClockAndHoursAgoDoNot() throws {
    // On 29 March, Berlin's clock went from 02:00 to 03:00.
    let now = "2026-03-29T10:00:00Z"
    #expect(try accepted("=", "1 day ago", of: ["2026-03-28T11:00:00Z"], now: now, in: "Europe/Berlin").count == 1)
    #expect(try accepted("=", "24 hours ago", of: ["2026-03-28T10:00:00Z"], now: now, in: "Europe/Berlin").count == 1)
    // A time that did not exist moves on as the clock did: 02:30 becomes 03:30.
    #expect(
      try accepted("=", "1 day ago", of: ["2026-03-29T01:30:00Z"], now: "2026-03-30T00:30:00Z", in: "Europe/Berlin")
        .count == 1)
    // Of a time that came twice, the first.
    #expect(
      try accepted("=", "1 day ago", of: ["2026-10-25T00:30:00Z"], now: "2026-10-26T01:30:00Z", in: "Europe/Berlin")
        .count == 1)
  }

  @Test func againstAnIntervalEachOperatorHasItsEnd() throws {
    let probes = [
      "2026-03-30T23:59:59.999Z", "2026-03-31T00:00:00Z", "2026-03-31T23:59:59.999Z", "2026-04-01T00:00:00Z",
    ]
    #expect(try accepted("=", "today", of: probes) == [probes[1], probes[2]])
    #expect(try accepted("!=", "today", of: probes) == [probes[0], probes[3]])
    #expect(try accepted(">", "today", of: probes) == [probes[3]])
    #expect(try accepted(">=", "today", of: probes) == [probes[1], probes[2], probes[3]])
    #expect(try accepted("<", "today", of: probes) == [probes[0]])
    #expect(try accepted("<=", "today", of: probes) == [probes[0], probes[1], probes[2]])
    #expect(try accepted("BETWEEN", ["today", "today"], of: probes) == [probes[1], probes[2]])
    #expect(try accepted("BETWEEN", ["yesterday", "2026-03-31T00:00:00Z"], of: probes) == [probes[0], probes[1]])
    #expect(try accepted("IN", ["today", "2026-04-01T00:00:00Z"], of: probes) == [probes[1], probes[2], probes[3]])
    #expect(try accepted("NOT_IN", ["today", "2026-04-01"], of: probes) == [probes[0]])
  }

  @Test func withinIncludesBothEndsAndNotTheFuture() throws {
    let probes = [
      "2026-03-01T10:29:59.999Z", "2026-03-01T10:30:00Z", "2026-03-31T10:30:00Z", "2026-03-31T10:30:00.001Z",
      "2026-04-30T10:30:00Z", "2026-04-30T10:30:00.001Z",
    ]
    #expect(try accepted("WITHIN_LAST", "30 days", of: probes) == [probes[1], probes[2]])
    #expect(try accepted("WITHIN_NEXT", "30 Days", of: probes) == [probes[2], probes[3], probes[4]])
    #expect(try accepted("WITHIN_LAST", "a month", of: ["2026-02-28T10:30:00Z"]).count == 1)
    #expect(try !matches(condition("last_order_at", "WITHIN_LAST", "30 days"), [:]))
    #expect(try matches(group("NOT", condition("last_order_at", "WITHIN_LAST", "30 days")), [:]))
  }

  @Test func aRangeThatIsInvertedOnlyNowIsAnErrorAndNotAnEmptyAudience() throws {
    let rule = try Rule.decode(group("NOT", condition("created_at", "BETWEEN", ["2026-05-01", "now"])))
    #expect(throws: RuleError.self) { try rule.filter(now: ruleNow) }
    #expect(throws: RuleError.self) { try rule.evaluate(lead: [:], now: ruleNow) }
    #expect(try rule.evaluate(lead: [:], now: try instant("2026-05-02T00:00:00Z")))
    do {
      _ = try rule.filter(now: ruleNow)
    } catch {
      #expect(error.errors.map { "\($0.path): \($0.code.rawValue)" } == ["rule_ast.children[0].value: inverted_range"])
    }
  }

  @Test func relativeWordsStayRelativeInTheSavedRule() throws {
    for (written, saved) in [
      ("a month ago", "1 month ago"), ("In 3 Weeks", "in 3 weeks"), ("1 days ago", "1 day ago"),
      ("LAST quarter", "last quarter"),
      ("today", "today"), ("Now", "now"), ("2026-03-31", "2026-03-31"), ("0001-01-01", "0001-01-01"),
      ("2026-03-31T12:30:00+02:00", "2026-03-31T10:30:00.000Z"),
    ] {
      #expect(try Rule.decode(condition("created_at", "=", .string(written))).json()["value"] == .string(saved))
    }
    #expect(try Rule.decode(condition("created_at", "WITHIN_LAST", "An Hour")).json()["value"] == "1 hour")
  }

  @Test func unknownZonesAreNone() {
    for name in ["", "Mars/Olympus", "PST", "../etc/passwd", "Europe/../UTC", "Europe/Berlin\0", "+02:00"] {
      #expect(CalendarZone(identifier: name) == nil, "\(name)")
    }
    for name in ["UTC", "Etc/UTC", "Europe/Berlin", "Asia/Calcutta", "America/Argentina/Buenos_Aires"] {
      #expect(CalendarZone(identifier: name) != nil, "\(name)")
    }
  }
}
