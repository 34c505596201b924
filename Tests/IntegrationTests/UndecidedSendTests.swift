import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Mongo
import Testing

/// Sends that nobody can decide, claims that are not used, and calls that may be made again, on a real MongoDB.
@Suite struct UndecidedSendTests {
  private struct Scene {
    let fixture: CampaignFixture
    let run: CampaignRun
    let chunks: [AudienceChunk]
    let jobs: [SendJob]
    var store: Store { fixture.store }

    func merge(_ status: SendStatus, _ jobs: [SendJob], source: SendEvent.Source = .outcome(worker: "w")) async throws {
      var events: [UUIDBytes: [SendEvent]] = [:]
      for job in jobs {
        events[job.sendID] = [
          SendEvent(
            status: status, at: CampaignFixture.start, source: source, vendor: "simulator",
            vendorMessageID: status == .unknown || status == .failed ? nil : "v-\(job.sendID)", attempt: job.attempt)
        ]
      }
      _ = try await store.merge(events)
    }

    func row(_ job: SendJob) async throws -> BSONDocument {
      try await store.mongo.withConnection { connection in
        try connection.findOne(Collections.communicationLogs, ["_id": .uuid(job.sendID.bytes)])
      }.unwrapped("the row")
    }

    func set(_ job: SendJob, _ fields: BSONDocument) async throws {
      try await store.mongo.withConnection { connection in
        _ = try connection.updateOne(
          Collections.communicationLogs, ["_id": .uuid(job.sendID.bytes)], ["$set": .document(fields)])
      }
    }
  }

  private func scene(leads: Int = 3, policy: DeliveryPolicy = .atMostOnce) async throws -> Scene {
    let fixture = try await CampaignFixture.make(leads: leads)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    try await fixture.store.mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.campaignRuns, ["_id": .uuid(run.id.bytes)],
        ["$set": ["delivery_policy": .string(policy.rawValue)]])
    }
    return Scene(fixture: fixture, run: run, chunks: chunks, jobs: jobs)
  }

  private let past = Timestamp(milliseconds: 0)

  @Test func aClaimThatWasNotUsedCostsNoAttempt() async throws {
    let scene = try await scene()
    for round in 0..<4 {
      let jobs = round == 0 ? scene.jobs : try await scene.store.takeDueRetries(limit: 10, holdSeconds: 0)
      #expect(jobs.map(\.attempt) == [1, 1, 1])
      let claims = try await scene.store.claim(jobs, owner: "w", vendor: "simulator")
      #expect(claims.claimed.count == 3)
      try await scene.store.release(Array(claims.claimed), fence: claims.fence)
      #expect(try await scene.fixture.checkedStats(scene.run.id).sending == 3)
    }
    let claims = try await scene.store.claim(scene.jobs, owner: "w")
    try await scene.store.release(Array(claims.claimed), fence: UUIDBytes())
    #expect(try await scene.store.takeDueRetries(limit: 10, holdSeconds: 0).isEmpty)
  }

  @Test func aRetryRemembersItsVendorAndSinceWhenItIsAmbiguous() async throws {
    let scene = try await scene()
    let claims = try await scene.store.claim(scene.jobs, owner: "w", vendor: "first")
    try await scene.store.scheduleRetries(
      [
        Retry(sendID: scene.jobs[0].sendID, notBefore: past, vendor: "second"),
        Retry(sendID: scene.jobs[1].sendID, notBefore: past, vendor: "first", isAmbiguous: true),
      ], fence: claims.fence)
    let due = try await scene.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(due.count == 2)
    let waiting = try await scene.store.waitingSends(due)
    #expect(waiting[scene.jobs[0].sendID] == SendRoute(vendor: "second", calls: 1))
    let ambiguous = try waiting[scene.jobs[1].sendID].unwrapped("the route")
    #expect(ambiguous.vendor == "first" && ambiguous.calls == 1 && !ambiguous.isResend)
    #expect(try ambiguous.ambiguousFor.unwrapped("an age") < .seconds(60))
    // The job of another attempt finds nothing to do.
    #expect(try await scene.store.waitingSends(scene.jobs).isEmpty)
    // The first ambiguous call counts, however many follow.
    try await scene.set(scene.jobs[1], ["route.ambiguous_since": .date(milliseconds: 1000)])
    let again = try await scene.store.claim(due, owner: "w", vendor: "first")
    try await scene.store.scheduleRetries(
      [Retry(sendID: scene.jobs[1].sendID, notBefore: past, vendor: "first", isAmbiguous: true)], fence: again.fence)
    #expect(try await scene.row(scene.jobs[1])["route"]?["ambiguous_since"]?.dateMilliseconds == 1000)
  }

  @Test func aSendThatBecomesUnknownIsAskedAboutAtOnceAndThenLessAndLessOften() async throws {
    let scene = try await scene()
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, Array(scene.jobs.prefix(2)))
    let open = try await scene.store.takeInquiries(limit: 10, deadlineSeconds: 900)
    #expect(Set(open.map(\.sendID)) == Set(scene.jobs.prefix(2).map(\.sendID)))
    #expect(open.allSatisfy { $0.vendor == "simulator" && $0.inquiry.asked == 1 && $0.inquiry.status == .unknown })
    let row = try await scene.row(scene.jobs[0])
    #expect(row["lease"] == nil)
    // Not due again at once.
    #expect((row["ask_at"]?.dateMilliseconds ?? 0) > (row["unknown_since"]?.dateMilliseconds ?? .max))
    // A receipt ends the questions.
    try await scene.set(scene.jobs[0], ["ask_at": .date(milliseconds: 0)])
    try await scene.merge(.delivered, [scene.jobs[0]], source: .receipt)
    #expect(try await scene.row(scene.jobs[0])["ask_at"] == nil)
    try await scene.set(scene.jobs[1], ["ask_at": .date(milliseconds: 0)])
    #expect(try await scene.store.takeInquiries(limit: 10, deadlineSeconds: 900).map(\.inquiry.asked) == [2])
    try await scene.store.stopAsking([scene.jobs[1].sendID])
    #expect(try await scene.row(scene.jobs[1])["ask_at"] == nil)
  }

  @Test func theLastQuestionBeforeADeadlineIsAskedAtTheDeadline() async throws {
    let scene = try await scene(leads: 1)
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, scene.jobs)
    let since = try await scene.row(scene.jobs[0])["unknown_since"]?.dateMilliseconds ?? 0
    try await scene.set(scene.jobs[0], ["asked": .int32(11)])
    _ = try await scene.store.takeInquiries(limit: 10, deadlineSeconds: 600)
    #expect(try await scene.row(scene.jobs[0])["ask_at"]?.dateMilliseconds == since + 600_000)
  }

  @Test func anUnknownSendIsMadeAgainUnderItsIdThoughItsRunIsComplete() async throws {
    let scene = try await scene(policy: .atLeastOnce)
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, scene.jobs)
    #expect(try await scene.store.completeIfDone(scene.run.id))
    let open = try await scene.store.takeInquiries(limit: 10, deadlineSeconds: 900)
    #expect(open.allSatisfy { $0.inquiry.policy == .atLeastOnce })
    #expect(try await scene.store.resend(open.map { ($0.sendID, $0.attempt) }) == 3)
    #expect(try await scene.store.resend(open.map { ($0.sendID, $0.attempt) }) == 0)
    let due = try await scene.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(due.map(\.attempt) == [2, 2, 2])
    let routes = try await scene.store.waitingSends(due)
    #expect(routes.values.allSatisfy { $0.isResend && $0.calls == 0 && $0.ambiguousFor != nil })
    let claims = try await scene.store.claim(due, owner: "w", vendor: "simulator")
    #expect(claims.claimed.count == 3)
    #expect(try await scene.store.claim(due, owner: "other").claimed.isEmpty)
    // Decided late by an old attempt: a later decision of the same attempt sends nothing again.
    #expect(try await scene.store.resend(open.map { ($0.sendID, $0.attempt) }) == 0)
    #expect(try await scene.fixture.checkedStats(scene.run.id).unknown == 3)
    try await scene.merge(.sent, due)
    #expect(try await scene.fixture.checkedStats(scene.run.id).sent == 3)
    #expect(try await scene.row(due[0])["lease"] == nil)
  }

  @Test func aReceiptThatComesBeforeTheResendStopsIt() async throws {
    let scene = try await scene(leads: 1, policy: .atLeastOnce)
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, scene.jobs)
    #expect(try await scene.store.resend([(scene.jobs[0].sendID, 1)]) == 1)
    try await scene.merge(.sent, scene.jobs, source: .receipt)
    #expect(try await scene.store.takeDueRetries(limit: 10, holdSeconds: 0).isEmpty)
  }

  @Test(arguments: [CampaignStatus.paused, .cancelled])
  func anUnknownSendOfARunThatMayNotSendIsNotMadeAgain(status: CampaignStatus) async throws {
    let scene = try await scene(leads: 2, policy: .atLeastOnce)
    _ = try await scene.store.claim(Array(scene.jobs.prefix(1)), owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, Array(scene.jobs.prefix(1)))
    #expect(try await scene.store.resend([(scene.jobs[0].sendID, 1)]) == 1)
    _ = try await scene.store.setStatus(campaignID: scene.fixture.campaign.id, to: status)
    let due = try await scene.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(try await scene.store.claim(due, owner: "w").claimed.isEmpty)
  }

  @Test func sendsWithoutAReceiptAreFoundChunkByChunk() async throws {
    let scene = try await scene()
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.sent, Array(scene.jobs.prefix(2)))
    try await scene.merge(.delivered, Array(scene.jobs.prefix(1)), source: .receipt)
    #expect(try await scene.store.markOldSends(afterSeconds: 3600, limit: 5) == 0)
    // One is still being sent: the chunk is looked at again.
    #expect(try await scene.store.markOldSends(afterSeconds: 0, limit: 1) == 1)
    #expect(
      try await scene.store.takeInquiries(limit: 10, deadlineSeconds: 900).map(\.sendID) == [scene.jobs[1].sendID])
    try await scene.merge(.sent, [scene.jobs[2]])
    #expect(try await scene.store.markOldSends(afterSeconds: 0, limit: 5) == 1)
    #expect(try await scene.store.markOldSends(afterSeconds: 0, limit: 5) == 0)
  }

  @Test func leadsWhoOptedOutOrWereDeletedSinceTheyWereExpandedAreNotReachable() async throws {
    let scene = try await scene(leads: 4)
    let ids = scene.fixture.leads.map(\.id)
    try await scene.store.mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.leads, ["_id": .objectID(ids[0])], ["$set": ["opted_out.whatsapp": .date(milliseconds: 1)]])
      _ = try connection.updateOne(
        Collections.leads, ["_id": .objectID(ids[1])], ["$set": ["opted_out.sms": .date(milliseconds: 1)]])
      _ = try connection.deleteOne(Collections.leads, ["_id": .objectID(ids[2])])
    }
    let reasons = try await scene.store.unreachable(Set(ids), on: .whatsapp)
    #expect(reasons.mapValues(\.errorClass) == [ids[0]: "opted_out", ids[2]: "lead_deleted"])
    // A send that was claimed meanwhile is SKIPPED by its outcome.
    _ = try await scene.store.claim(scene.jobs, owner: "w")
    try await scene.merge(.skipped, [scene.jobs[0]])
    let stats = try await scene.fixture.checkedStats(scene.run.id)
    #expect(stats.skipped == 1 && stats.sending == 3)
  }

  @Test func aFailureOfAnEndedCycleToldAgainDoesNotEndTheNext() async throws {
    let scene = try await scene(leads: 1, policy: .atLeastOnce)
    _ = try await scene.store.claim(scene.jobs, owner: "w", vendor: "simulator")
    try await scene.merge(.unknown, scene.jobs)
    #expect(try await scene.store.resend([(scene.jobs[0].sendID, 1)]) == 1)
    try await scene.merge(.failed, scene.jobs)
    #expect(try await scene.fixture.checkedStats(scene.run.id).unknown == 1)
    let due = try await scene.store.takeDueRetries(limit: 10, holdSeconds: 60)
    _ = try await scene.store.claim(due, owner: "w")
    try await scene.merge(.failed, due)
    #expect(try await scene.fixture.checkedStats(scene.run.id).failed == 1)
  }

  @Test func aSlotThatIsTooFarAheadIsNotReserved() async throws {
    let store = try await TestServers.shared.store()
    for _ in 0..<2 { _ = try await store.reserveSlots("s", count: 1, perMinute: 1, patience: .seconds(70)) }
    let refused = try await store.reserveSlots("s", count: 5, perMinute: 1, patience: .seconds(70))
    #expect(!refused.isGranted && refused.wait > .seconds(100))
    let again = try await store.reserveSlots("s", count: 1, perMinute: 1, patience: .seconds(130))
    #expect(again.isGranted && again.wait <= refused.wait)
  }
}
