import CivilTime
import JSON
import Synchronization
import Testing

@testable import Runtime

@Suite struct ObservabilityTests {
  final class Lines: Sendable {
    private let lines = Mutex<[[UInt8]]>([])
    func add(_ line: [UInt8]) { lines.withLock { $0.append(line) } }
    var all: [[UInt8]] { lines.withLock { $0 } }
  }

  @Test func aLogLineIsOneObjectWithItsFieldsInOrder() throws {
    let lines = Lines()
    let clock = TestClock(Timestamp(milliseconds: 1_774_953_000_123))
    let log = Logger(service: "test", level: .info, clock: clock) { lines.add($0) }
    log.debug("not shown")
    log.with([LogKey.campaignID: "c1"]).warning("a \"quoted\"\nline", ["count": 3])
    let written = lines.all
    #expect(written.count == 1)
    #expect(written[0].last == 0x0A)
    #expect(
      String(decoding: written[0].dropLast(), as: UTF8.self)
        == #"{"time":"2026-03-31T10:30:00.123Z","level":"warning","service":"test","#
        + #""message":"a \"quoted\"\nline","campaign_id":"c1","count":3}"#)
  }

  @Test func traceparentRoundTripsAndChildrenKeepTheTrace() throws {
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    let context = try #require(TraceContext(traceparent: text))
    #expect(context.description == text)
    #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    let child = context.child()
    #expect(child.traceID == context.traceID)
    #expect(child.span != context.span)
    let fresh = TraceContext()
    #expect(TraceContext(traceparent: fresh.description) == fresh)
  }

  @Test(arguments: [
    "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
  ])
  func refusesWhatTheSpecificationRefuses(text: String) {
    #expect(TraceContext(traceparent: text) == nil)
  }

  @Test func expositionFollowsPrometheusText() {
    let registry = MetricsRegistry()
    registry.counter("b_total", help: "Bees.", labels: ["kind"]).labels("a\"b\\c\nd").add(3)
    let seconds = registry.histogram("a_seconds", help: "Time.", buckets: [0.1, 1]).labels()
    seconds.observe(0.05)
    seconds.observe(0.5, times: 2)
    seconds.observe(5)
    registry.gauge("c", help: "See.") { 1.5 }
    #expect(
      registry.exposition() == """
        # HELP a_seconds Time.
        # TYPE a_seconds histogram
        a_seconds_bucket{le="0.1"} 1
        a_seconds_bucket{le="1"} 3
        a_seconds_bucket{le="+Inf"} 4
        a_seconds_sum 6.05
        a_seconds_count 4
        # HELP b_total Bees.
        # TYPE b_total counter
        b_total{kind="a\\"b\\\\c\\nd"} 3
        # HELP c See.
        # TYPE c gauge
        c 1.5

        """)
  }

  @Test func aFamilyDoesNotGrowWithoutBound() {
    let registry = MetricsRegistry()
    let family = registry.counter("x_total", help: "X.", labels: ["v"])
    for index in 0..<5000 { family.labels("\(index)").add() }
    #expect(family.all().count == 1001)
    #expect(family.labels("other").value == 4000)
  }
}
