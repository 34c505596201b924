import Testing

@testable import CivilTime

@Suite struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-03-31T10:30:00.123Z", 1_774_953_000_123),
    ("2026-03-31T12:30:00.123456+02:00", 1_774_953_000_123), ("1969-12-31T23:59:59.5Z", -500),
    ("2024-02-29T00:00:00-00:30", 1_709_166_600_000), ("2016-12-31T23:59:60Z", 1_483_228_799_000),
  ])
  func parsesRFC3339(text: String, milliseconds: Int64) {
    #expect(Timestamp(rfc3339: text)?.milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+24:00", "2023-02-29T00:00:00Z",
  ])
  func refusesWhatIsNoInstant(text: String) {
    #expect(Timestamp(rfc3339: text) == nil)
  }

  @Test func writesWhatItReadsOverFourCenturies() {
    for step in 0..<40_000 {
      let instant = Timestamp(milliseconds: -6_000_000_000_000 + Int64(step) * 315_360_017)
      #expect(Timestamp(rfc3339: instant.description) == instant)
    }
  }

  @Test func everyDayOfFourCenturiesRoundTripsAndFollowsTheOneBefore() throws {
    var previous = CivilDate(daysSinceEpoch: -100_001)
    for days in Int64(-100_000)...46_097 {
      let date = CivilDate(daysSinceEpoch: days)
      #expect(date.daysSinceEpoch == Int(days))
      #expect(date > previous)
      #expect(date.weekday == previous.weekday % 7 + 1)
      previous = date
    }
  }

  @Test func monthsAreClampedAtTheirEnd() throws {
    let march = try #require(CivilDate(year: 2026, month: 3, day: 31))
    #expect(march.adding(months: -1) == CivilDate(year: 2026, month: 2, day: 28))
    #expect(march.adding(months: -25) == CivilDate(year: 2024, month: 2, day: 29))
    #expect(march.adding(months: 11) == CivilDate(year: 2027, month: 2, day: 28))
    #expect(march.adding(days: 1) == CivilDate(year: 2026, month: 4, day: 1))
  }
}
