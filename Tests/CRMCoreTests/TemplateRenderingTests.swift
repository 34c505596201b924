import BSON
import CRMCore
import CivilTime
import Testing

@Suite struct TemplateRenderingTests {
  private func render(_ source: String, _ lead: Lead = Fixture.lead(), hoursEast: Int = 0) throws -> RenderResult {
    try MessageTemplate(parsing: source).render(lead, offset: { _ in hoursEast * 3600 })
  }

  @Test(arguments: [
    ("Hi {{ name }}!", "Hi John Doe!"), ("{{name|first_name}}", "John"), ("{{ name | upcase }}", "JOHN DOE"),
    ("{{ name | downcase }}", "john doe"), ("{{ name | downcase | capitalize }}", "John doe"),
    ("{{ email }} {{ emails }}", "john@example.com john@example.com, j@d.oe"), ("{{ phone }}", "+14155550123"),
    ("{{ tags }}", "vip, new"), ("{{ total_spend }}", "1234.5"), ("{{ total_spend | number }}", "1,234.5"),
    ("{{ total_spend | number: 2 }}", "1,234.50"), ("{{ total_spend | number: 0 }}", "1,235"), ("{{ visits }}", "7"),
    ("{{ visits | number: 1 }}", "7.0"), ("{{ last_order_at }}", "2026-03-31"),
    ("{{ last_order_at | date }}", "2026-03-31"),
    ("{{ last_order_at | date: '%d %B %Y, %H:%M (%b, 100%%)' }}", "31 March 2026, 10:30 (Mar, 100%)"),
    ("{{ metadata.city }} {{ metadata.address.zip }}", "Köln 50667"), ("{{ metadata.ratio }}", "0.25"),
    ("{{ metadata.count }}", "3"), ("{{ metadata.flag }}", "false"), ("{{ metadata.list }}", "1, b, true"),
    ("{{ metadata.day | date: '%d.%m.' }}", "24.12."), ("{{ metadata.amount | number: 1 }}", "9,876.5"),
    ("{{ metadata.gone | default: \"there\" }}", "there"), ("{{ metadata.empty | default: 'x' }}", "x"),
    ("{{ metadata.gone | upcase | default: 'there' }}", "there"), ("a{{ metadata.gone | default: '' }}b", "ab"),
    ("{{ metadata.gone | default: 'there' | upcase }}", "THERE"), ("{{ metadata.flag | default: 'x' }}", "false"),
    ("{{ metadata.gone | default: 1234 | number: 2 }}", "1,234.00"),
    ("{% if metadata.city %}yes{% else %}no{% endif %}", "yes"),
    ("{% if metadata.gone %}yes{% else %}no{% endif %}", "no"),
    ("{% if metadata.empty %}yes{% else %}no{% endif %}", "no"),
    ("{% if metadata.flag %}yes{% else %}no{% endif %}", "no"),
    ("{% if metadata.none %}yes{% else %}no{% endif %}", "no"),
    ("{% if metadata.nothing %}yes{% else %}no{% endif %}", "no"),
    ("{% if metadata.zero %}yes{% else %}no{% endif %}", "yes"), ("{% if metadata.address %}yes{% endif %}", "yes"),
    ("{% if metadata.gone %}{{ metadata.gone }}{% else %}{{ name }}{% endif %}", "John Doe"),
    ("{% if tags %}a{% if metadata.gone %}b{% else %}c{% endif %}d{% endif %}e", "acde"),
  ])
  func fillsAMessage(source: String, expected: String) throws {
    let lead = Fixture.lead(
      emails: ["john@example.com", "j@d.oe"], tags: ["vip", "new"],
      metadata: [
        "city": "Köln", "address": ["zip": "50667"], "ratio": 0.25, "count": 3, "flag": false, "list": [1, "b", true],
        "day": "2025-12-24", "amount": "9876.54", "empty": "", "none": [], "nothing": nil, "zero": 0,
      ])
    #expect(try render(source, lead) == .message(expected))
  }

  @Test(arguments: ["{{ name }}", "{{ metadata.gone }}", "{% if name %}{{ email }}{% endif %}", "%}{{ x | y }}", "{{"])
  func dataIsNeverReadAsTemplate(evil: String) throws {
    let lead = Fixture.lead(name: evil, tags: [evil], metadata: ["x": .string(evil)])
    #expect(try render("{{ name }}|{{ tags }}|{{ metadata.x }}", lead) == .message("\(evil)|\(evil)|\(evil)"))
    #expect(try render("{{ metadata.y | default: '{{ name }}' }}", lead) == .message("{{ name }}"))
  }

  @Test func keepsUnicodeAsItIs() throws {
    let lead = Fixture.lead(name: "Zoë 👩‍👩‍👧 Straße", metadata: ["greeting": "こんにちは"])
    #expect(try render("{{ metadata.greeting }}, {{ name }} – ok", lead) == .message("こんにちは, Zoë 👩‍👩‍👧 Straße – ok"))
    #expect(try render("{{ name | upcase }}", lead) == .message("ZOË 👩‍👩‍👧 STRASSE"))
    #expect(try render("{{ name | first_name }}", Fixture.lead(name: "\u{3000}李\u{3000}明")) == .message("李"))
  }

  @Test func aMissingValueSkipsTheLeadAndAllAreNamed() throws {
    let lead = Fixture.lead(phones: [], lastOrderAt: nil, metadata: ["empty": ""])
    #expect(
      try render("{{ name }} {{ metadata.city }} {{ phone }} {{ metadata.city }} {{ last_order_at | date }}", lead)
        == .skipped(reason: "missing value: metadata.city, phone, last_order_at"))
    #expect(try render("{{ metadata.empty }}", lead) == .skipped(reason: "missing value: metadata.empty"))
    #expect(try render("{{ metadata.a.b.c }}", lead) == .skipped(reason: "missing value: metadata.a.b.c"))
  }

  @Test func aValueThatDoesNotSuitSkipsTheLeadAndSaysWhy() throws {
    let lead = Fixture.lead(metadata: ["o": ["a": 1], "text": "soon", "list": [1]])
    #expect(try render("{{ metadata.o }}", lead) == .skipped(reason: "metadata.o is an object and cannot be printed"))
    #expect(try render("{{ metadata.text | date }}", lead) == .skipped(reason: "metadata.text is not a date"))
    #expect(try render("{{ metadata.text | number }}", lead) == .skipped(reason: "metadata.text is not a number"))
    #expect(try render("{{ metadata.list | number }}", lead) == .skipped(reason: "metadata.list is not a number"))
  }

  @Test func anEmptyOrEndlessMessageIsSkipped() throws {
    #expect(try render(" \n{% if metadata.gone %}x{% endif %}") == .skipped(reason: "the message is empty"))
    let lead = Fixture.lead(metadata: ["x": .string(String(repeating: "x", count: 1_000))])
    let source = String(repeating: "{{ metadata.x }}", count: 21)
    #expect(try render(source, lead) == .skipped(reason: "the message is longer than 20000 bytes"))
    #expect(
      try render(String(source.dropLast(16)), lead) == .message(String(repeating: "x", count: 20_000)))
  }

  @Test func showsTimesInTheGivenZone() throws {
    let source = "{{ last_order_at | date: '%Y-%m-%d %H:%M' }}"
    let lead = Fixture.lead(lastOrderAt: Timestamp(rfc3339: "2026-12-31T23:30:00Z"))
    #expect(try render(source, lead, hoursEast: 1) == .message("2027-01-01 00:30"))
    #expect(try render(source, lead, hoursEast: -5) == .message("2026-12-31 18:30"))
    let berlin = try #require(CalendarZone(identifier: "Europe/Berlin"))
    #expect(try MessageTemplate(parsing: source).render(lead, in: berlin) == .message("2027-01-01 00:30"))
    let old = Fixture.lead(lastOrderAt: Timestamp(rfc3339: "1969-12-31T23:59:59.999Z"))
    #expect(try render(source, old) == .message("1969-12-31 23:59"))
    // A day without a time is the same day everywhere.
    let birthday = Fixture.lead(metadata: ["day": "2026-05-01", "at": "2026-05-01T00:30:00+02:00"])
    #expect(
      try render("{{ metadata.day | date }} {{ metadata.at | date }}", birthday, hoursEast: -5)
        == .message("2026-05-01 2026-04-30"))
  }

  @Test(arguments: [
    (0.0, "0", "0.00"), (-0.004, "-0.004", "0.00"), (0.995, "0.995", "1.00"), (999.999, "999.999", "1,000.00"),
    (-1234567.891, "-1,234,567.891", "-1,234,567.89"), (1e15, "1,000,000,000,000,000", "1,000,000,000,000,000.00"),
    (1e30, "1e+30", "1e+30"), (123, "123", "123.00"),
  ])
  func groupsThousandsAndRounds(value: Double, plain: String, twoDecimals: String) throws {
    let lead = Fixture.lead(metadata: ["n": .double(value)])
    #expect(try render("{{ metadata.n | number }}", lead) == .message(plain))
    #expect(try render("{{ metadata.n | number: 2 }}", lead) == .message(twoDecimals))
  }

  @Test func printsTheExtremesOfIntegers() throws {
    let lead = Fixture.lead(metadata: ["n": .int64(.min), "m": .int64(.max)])
    #expect(
      try render("{{ metadata.n | number }} {{ metadata.m }}", lead)
        == .message("-9,223,372,036,854,775,808 9223372036854775807"))
  }
}
