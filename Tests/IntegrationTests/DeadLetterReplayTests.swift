import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import JSON
import Mongo
import Testing

@Suite struct DeadLetterReplayTests {
  private func failed() async throws -> (fixture: CampaignFixture, run: CampaignRun, job: SendJob) {
    let fixture = try await CampaignFixture.make(leads: 1)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.claim(jobs, owner: "w", vendor: "simulator")
    return (fixture, run, jobs[0])
  }

  private func tell(_ fixture: CampaignFixture, _ job: SendJob, _ status: SendStatus) async throws {
    _ = try await fixture.store.merge([
      job.sendID: [
        SendEvent(
          status: status, at: CampaignFixture.start, source: .outcome(worker: "w"), vendor: "simulator",
          vendorMessageID: status == .sent ? "v" : nil,
          error: status == .failed ? SendError(errorClass: "unreachable", message: "no") : nil, attempt: job.attempt)
      ]
    ])
  }

  @Test func aFailedSendIsSentAgainOnceHoweverOftenItsLetterIsReplayed() async throws {
    let (fixture, run, job) = try await failed()
    let letter = try await exhaustedLetter(fixture.store, job, offset: 1)
    // Replayed before the failure is in the log: told to come back, and nothing is marked.
    await #expect(throws: StoreError.self) { try await fixture.store.reopen(letter, job) }
    #expect(try await fixture.store.deadLetter(letter.id).state == .new)
    try await tell(fixture, job, .failed)
    #expect(try await fixture.store.completeIfDone(run.id))

    let outcomes = try await withThrowingTaskGroup(of: Reopening.self) { group in
      for _ in 0..<4 { group.addTask { try await fixture.store.reopen(letter, job) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 == .reopened }.count == 1)
    #expect(outcomes.filter { $0 == .superseded(.unknown) }.count == 3)
    #expect(try await fixture.store.deadLetter(letter.id).state == .replayed)
    #expect(try await fixture.checkedStats(run.id).unknown == 1)

    let due = try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(due.map(\.attempt) == [2] && due[0].sendID == job.sendID)
    #expect(try await fixture.store.waitingSends(due)[job.sendID]?.calls == 0, "a cycle of its own")
    #expect(try await fixture.store.waitingSends(due)[job.sendID]?.ambiguousFor == nil, "no call is ambiguous")
    // The failure told once more, late, ends nothing.
    try await tell(fixture, job, .failed)
    #expect(try await fixture.store.claim(due, owner: "w", vendor: "simulator").claimed.count == 1)
    try await tell(fixture, due[0], .sent)
    #expect(try await fixture.checkedStats(run.id).sent == 1)
    #expect(try await fixture.store.reopen(letter, job) == .superseded(.sent))
    #expect(try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 0).isEmpty)
  }

  @Test func aLetterOfAnEarlierCycleDoesNotOpenALaterOne() async throws {
    let (fixture, run, job) = try await failed()
    try await tell(fixture, job, .failed)
    let first = try await exhaustedLetter(fixture.store, job, offset: 1)
    #expect(try await fixture.store.reopen(first, job) == .reopened)
    let due = try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60)
    _ = try await fixture.store.claim(due, owner: "w")
    try await tell(fixture, due[0], .failed)
    #expect(try await fixture.checkedStats(run.id).failed == 1)
    #expect(try await fixture.store.reopen(first, job) == .superseded(.failed))
    let second = try await exhaustedLetter(fixture.store, due[0], offset: 2)
    #expect(try await fixture.store.reopen(second, due[0]) == .reopened)
  }

  @Test func aCancelledCampaignsSendIsNotSentAgain() async throws {
    let (fixture, _, job) = try await failed()
    try await tell(fixture, job, .failed)
    let letter = try await exhaustedLetter(fixture.store, job, offset: 1)
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .cancelled)
    await #expect(throws: StoreError.self) { try await fixture.store.reopen(letter, job) }
    #expect(try await fixture.store.deadLetter(letter.id).state == .new, "nothing is marked when nothing is done")
  }

  @Test func lettersAreListedByWhatIsAskedFor() async throws {
    let (fixture, _, job) = try await failed()
    var letters: [FiledLetter] = []
    for offset in 1...5 { letters.append(try await exhaustedLetter(fixture.store, job, offset: Int64(offset))) }
    try await fixture.store.mark([letters[0]], .discard)
    var filter = DeadLetterFilter()
    filter.state = .new
    let page = try await fixture.store.deadLetters(filter, start: .page(1), limit: 3)
    #expect(page.total == 4 && page.elements.map(\.id) == [letters[4], letters[3], letters[2]].map(\.id))
    filter.errorClass = "other"
    #expect(try await fixture.store.deadLetters(filter, start: .page(1), limit: 3).total == 0)
    filter.errorClass = "attempts_exhausted"
    filter.topic = "campaign.send_jobs"
    filter.to = CampaignFixture.start.advanced(by: .milliseconds(3))
    #expect(try await fixture.store.oldestDeadLetters(filter, limit: 10).map(\.id) == [letters[1].id])
    let whole = try await fixture.store.deadLetter(letters[1].id)
    #expect(whole.jsonValue["value"]?.stringValue == String(decoding: job.encoded(), as: UTF8.self))
    #expect(whole.jsonValue["headers"]?["schema"]?.stringValue == "send-job/1")
  }

  @Test func aDiscardedLetterIsNotReplayedAndAReplayedOneNotDiscarded() async throws {
    let (fixture, _, job) = try await failed()
    let letter = try await exhaustedLetter(fixture.store, job, offset: 1)
    try await fixture.store.mark([letter], .discard)
    let discarded = try await fixture.store.deadLetter(letter.id)
    try await fixture.store.mark([discarded], .discard)
    await #expect(throws: StoreError.self) { try await fixture.store.mark([discarded], .replay) }
    // Somebody who has read it before it was discarded learns it all the same.
    await #expect(throws: StoreError.self) { try await fixture.store.mark([letter], .replay) }
    let other = try await exhaustedLetter(fixture.store, job, offset: 2)
    try await fixture.store.mark([other], .replay)
    await #expect(throws: StoreError.self) { try await fixture.store.mark([other], .discard) }
  }
}
