import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Runtime
import Testing

@testable import APIGateway

/// Following campaigns: what listeners hear, and what stays of them.
@Suite(.serialized) struct CampaignFeedTests {
  /// A campaign that is SCHEDULED for a time that does not come.
  private func makeCampaign(_ harness: GatewayHarness, _ key: String) async throws -> ObjectID {
    let rule: JSONValue = ["type": "condition", "field": "visits", "operator": ">", "value": 1]
    let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
    let campaign = try await harness.request(
      .post, "/api/v1/campaigns",
      [
        "name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "x", "channel": "sms",
        "schedule_at": "2099-01-01T00:00:00Z",
      ], as: key)
    return try #require(campaign.data["_id"]?.stringValue.flatMap { ObjectID(hex: $0) }, "\(campaign.text)")
  }

  private func cancel(_ harness: GatewayHarness, _ id: ObjectID, _ key: String) async throws {
    let answer = try await harness.request(.post, "/api/v1/campaigns/\(id.hex)/cancel", as: key)
    try #require(answer.status == 200, "\(answer.text)")
  }

  private func text(_ moment: CampaignMoment) -> String { String(decoding: moment.event, as: UTF8.self) }

  private func untilIdle(_ feeds: CampaignFeeds) async throws {
    try await withDeadline(.seconds(10), "all listeners to be gone") {
      while feeds.load != (0, 0) { try await Task.sleep(for: .milliseconds(10)) }
    }
  }

  @Test func aListenerHearsTheStateItsChangesAndTheEnd() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeCampaign(harness, key)
      let feeds = harness.gateway.feeds
      do {
        let listener = try feeds.join(id)
        let first = try await listener.first()
        #expect(text(first).contains(#""status":"SCHEDULED""#) && !first.isFinal)
        #expect(text(first).hasPrefix("id: \(first.id)\nevent: stats\ndata: {") && text(first).hasSuffix("}\n\n"))
        try await cancel(harness, id, key)
        guard case .moment(let last) = try await listener.next() else { throw Unexpected() }
        #expect(text(last).contains(#""status":"CANCELLED""#) && last.isFinal && last.id != first.id)
        guard case .end = try await listener.next() else { throw Unexpected() }
      }
      try await untilIdle(feeds)
    }
  }

  private struct Unexpected: Error {}

  @Test func manyListenersHaveOneReaderAndASlowOneFindsTheNewest() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeCampaign(harness, key)
      let feeds = harness.gateway.feeds
      do {
        let slow = try feeds.join(id)
        _ = try await slow.first()
        let others = try (0..<500).map { _ in try feeds.join(id) }
        #expect(feeds.load == (1, 501))
        try await cancel(harness, id, key)
        try await withThrowingTaskGroup(of: Bool.self) { group in
          for listener in others {
            group.addTask {
              while true {
                switch try await listener.next() {
                case .moment(let moment): if moment.isFinal { return true }
                case .heartbeat: continue
                case .end: return false
                }
              }
            }
          }
          for try await sawTheEnd in group { #expect(sawTheEnd) }
        }
        guard case .moment(let newest) = try await slow.next() else { throw Unexpected() }
        #expect(newest.isFinal)
      }
      try await untilIdle(feeds)
    }
  }

  @Test func aListenerThatIsCancelledIsGone() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let feeds = harness.gateway.feeds
      let id = try await makeCampaign(harness, key)
      let listening = Latch<Bool>()
      let task = Task {
        let listener = try feeds.join(id)
        _ = try await listener.first()
        listening.set(true)
        while true { _ = try await listener.next() }
      }
      _ = await listening.wait()
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      try await untilIdle(feeds)
    }
  }

  @Test func thereIsRoomForSoManyAndTheNextIsToldToComeBack() async throws {
    try await GatewayHarness.with(["EVENT_LISTENERS": "2"]) { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeCampaign(harness, key)
      let feeds = harness.gateway.feeds
      do {
        let listeners = try [feeds.join(id), feeds.join(id)]
        let answer = try await harness.request(.get, "/api/v1/campaigns/\(id.hex)/events", as: key)
        #expect(answer.status == 503 && answer.problem == "overloaded" && answer.headers["Retry-After"] == "5")
        withExtendedLifetime(listeners) {}
      }
      try await untilIdle(feeds)
      let answer = try await harness.request(.get, "/api/v1/campaigns/\(id.hex)/events", as: key)
      #expect(answer.status == 200 && answer.headers["Content-Type"] == "text/event-stream")
      // Nobody reads this answer: it is released, and so is its listener.
      try await untilIdle(feeds)
    }
  }

  @Test func anUnknownCampaignIs404AndLeavesNothing() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.viewer)
      let answer = try await harness.request(.get, "/api/v1/campaigns/0123456789abcdef01234567/events", as: key)
      #expect(answer.status == 404 && answer.problem == "not-found", "\(answer.text)")
      try await untilIdle(harness.gateway.feeds)
    }
  }

  @Test func anIdMeansTheSameAtAnotherGateway() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeCampaign(harness, key)
      try await cancel(harness, id, key)
      let last = try await harness.gateway.feeds.join(id).first()
      let replica = try await GatewayHarness(database: harness.database)
      let path = "/api/v1/campaigns/\(id.hex)/events"
      let known = try await replica.request(.get, path, as: key, headers: ["Last-Event-ID": last.id])
      #expect(known.status == 204)
      let other = try await replica.request(.get, path, as: key, headers: ["Last-Event-ID": "0011"])
      #expect(other.status == 200)
      await replica.close()
    }
  }
}
