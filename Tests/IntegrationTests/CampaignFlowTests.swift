import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Mongo
import Testing

@Suite struct CampaignFlowTests {
  @Test func everyStepKeepsTheCountersEqualToARecount() async throws {
    let fixture = try await CampaignFixture.make(leads: 250) { lead, number in
      if number % 10 == 0 { lead.phones = [] }
    }
    let (run, chunks) = try await fixture.frozenRun(chunkSize: 100)
    #expect(chunks.map(\.leadIDs.count) == [100, 100, 50])
    #expect(chunks.flatMap(\.leadIDs) == fixture.leads.map(\.id).sorted())
    var stats = try await fixture.checkedStats(run.id)
    #expect(stats.audience == 250 && stats.pending == 250)

    var jobs: [SendJob] = []
    for chunk in chunks {
      jobs += try await fixture.store.expand(chunk, of: run, render: CampaignFixture.render).jobs
    }
    #expect(jobs.count == 225)
    #expect(Set(jobs.map(\.sendID)).count == 225)
    stats = try await fixture.checkedStats(run.id)
    #expect(stats.queued == 225 && stats.skipped == 25)

    let claims = try await fixture.store.claim(jobs, owner: "worker")
    #expect(claims.claimed.count == 225)
    stats = try await fixture.checkedStats(run.id)
    #expect(stats.sending == 225)
    #expect(try await fixture.store.completeIfDone(run.id) == false)

    let report = try await fixture.store.merge(events(jobs, .sent))
    #expect(report.changed == 225)
    #expect(try await fixture.store.completeIfDone(run.id))
    #expect(try await fixture.store.completeIfDone(run.id) == false)
    stats = try await fixture.checkedStats(run.id)
    #expect(stats.sent == 225)

    _ = try await fixture.store.merge(events(Array(jobs.prefix(200)), .delivered))
    stats = try await fixture.checkedStats(run.id)
    #expect(stats.delivered == 200 && stats.sent == 25)
    #expect(try await fixture.store.campaign(fixture.campaign.id).status == .completed)
  }

  private func events(_ jobs: [SendJob], _ status: SendStatus) -> [UUIDBytes: [SendEvent]] {
    let source: SendEvent.Source = status == .sent ? .outcome(worker: "worker") : .receipt
    return Dictionary(
      uniqueKeysWithValues: jobs.map {
        (
          $0.sendID,
          [
            SendEvent(
              status: status, at: CampaignFixture.start, source: source, vendor: "simulator",
              vendorMessageID: "v-\($0.sendID)")
          ]
        )
      })
  }

  @Test func expandingAgainGivesTheSendsThatAreStillQueuedAndNoOthers() async throws {
    let fixture = try await CampaignFixture.make(leads: 50)
    let (run, chunks) = try await fixture.frozenRun()
    let first = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render)
    let again = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render)
    #expect(first.inserted == 50 && again.inserted == 0)
    #expect(Set(again.jobs) == Set(first.jobs))
    _ = try await fixture.store.claim(Array(first.jobs.prefix(20)), owner: "worker")
    let last = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render)
    #expect(Set(last.jobs) == Set(first.jobs.dropFirst(20)))
    #expect(try await fixture.checkedStats(run.id).queued == 30)
  }

  @Test func workersThatExpandOneChunkTogetherWriteItOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 400)
    let (run, chunks) = try await fixture.frozenRun()
    let inserted = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<6 {
        group.addTask {
          try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).inserted
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(inserted.sorted() == [0, 0, 0, 0, 0, 400])
    #expect(try await fixture.checkedStats(run.id).queued == 400)
  }

  @Test func aSendIsClaimedByOneOfManyWorkers() async throws {
    let fixture = try await CampaignFixture.make(leads: 300)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    let claims = try await withThrowingTaskGroup(of: Set<UUIDBytes>.self) { group in
      for worker in 0..<5 {
        let share = Array(jobs.shuffled().prefix(200))
        group.addTask { try await fixture.store.claim(share, owner: "worker-\(worker)").claimed }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let all = claims.flatMap { $0 }
    #expect(all.count == Set(all).count)
    let stats = try await fixture.checkedStats(run.id)
    #expect(Int(stats.sending) == all.count)
  }

  @Test func nothingIsClaimedOfARunThatIsPausedOrCancelled() async throws {
    let fixture = try await CampaignFixture.make(leads: 10)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .paused)
    #expect(try await fixture.store.claim(jobs, owner: "worker").claimed.isEmpty)
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .running)
    #expect(try await fixture.store.claim(Array(jobs.prefix(3)), owner: "worker").claimed.count == 3)
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .cancelled)
    #expect(try await fixture.store.claim(jobs, owner: "worker").claimed.isEmpty)
    let cancelled = try await fixture.store.run(run.id).unwrapped("the run")
    #expect(cancelled.state == .cancelled && cancelled.epoch == 3)
    try await fixture.store.cancel(chunks[0], of: cancelled)
    let stats = try await fixture.checkedStats(run.id)
    #expect(stats.cancelled == 7 && stats.sending == 3)
  }

  @Test func cancellingAnUnexpandedChunkLeavesARowForEachLead() async throws {
    let fixture = try await CampaignFixture.make(leads: 20)
    let (run, chunks) = try await fixture.frozenRun()
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .cancelled)
    try await fixture.store.cancel(chunks[0], of: run)
    try await fixture.store.cancel(chunks[0], of: run)
    #expect(try await fixture.checkedStats(run.id).cancelled == 20)
    #expect(try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs.isEmpty)
  }

  @Test func aRetryIsClaimedOnceWhenItIsDue() async throws {
    let fixture = try await CampaignFixture.make(leads: 3)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    let claims = try await fixture.store.claim(jobs, owner: "worker")
    // Not-before times lie on MongoDB's clock: long past and far ahead.
    try await fixture.store.scheduleRetries(
      [
        Retry(sendID: jobs[0].sendID, notBefore: Timestamp(milliseconds: 0)),
        Retry(sendID: jobs[1].sendID, notBefore: Timestamp(milliseconds: 32_503_680_000_000)),
      ], fence: claims.fence)
    let due = try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(due.map(\.sendID) == [jobs[0].sendID])
    #expect(due.map(\.attempt) == [2])
    #expect(try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60).isEmpty)
    #expect(try await fixture.store.claim(due, owner: "worker").claimed == [jobs[0].sendID])
    #expect(try await fixture.store.claim(due, owner: "other").claimed.isEmpty)
    #expect(try await fixture.store.claim([jobs[0]], owner: "other").claimed.isEmpty)
    #expect(try await fixture.checkedStats(run.id).sending == 3)
  }

  @Test func aForeignFenceSchedulesNothing() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.claim(jobs, owner: "worker")
    try await fixture.store.scheduleRetries(
      [Retry(sendID: jobs[0].sendID, notBefore: Timestamp(milliseconds: 0))], fence: UUIDBytes())
    #expect(try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60).isEmpty)
  }

  @Test func deferredSendsComeBackAsTheirFirstAttempt() async throws {
    let fixture = try await CampaignFixture.make(leads: 2)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    try await fixture.store.deferQueued(
      jobs.map { Retry(sendID: $0.sendID, notBefore: Timestamp(milliseconds: 0)) })
    let due = try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 60)
    #expect(Set(due) == Set(jobs))
    #expect(try await fixture.store.claim(due, owner: "worker").claimed.count == 2)
    #expect(try await fixture.store.takeDueRetries(limit: 10, holdSeconds: 0).isEmpty)
    #expect(try await fixture.checkedStats(run.id).sending == 2)
  }

  @Test func mergingTwiceOrInAnotherOrderChangesNothing() async throws {
    let fixture = try await CampaignFixture.make(leads: 40)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.claim(jobs, owner: "worker")
    _ = try await fixture.store.merge(events(jobs, .delivered))
    _ = try await fixture.store.merge(events(jobs, .sent))
    let again = try await fixture.store.merge(events(jobs, .delivered))
    #expect(again.changed == 0)
    let stats = try await fixture.checkedStats(run.id)
    #expect(stats.delivered == 40)
  }

  @Test func concurrentMergesOfTheSameSendsCountEachOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 120)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.claim(jobs, owner: "worker")
    let batches = [events(jobs, .sent), events(jobs, .delivered), events(jobs, .read), events(jobs, .sent)]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for batch in batches { group.addTask { _ = try await fixture.store.merge(batch) } }
      try await group.waitForAll()
    }
    #expect(try await fixture.checkedStats(run.id).read == 120)
  }

  @Test func evidenceOfAnUnknownSendIsParkedOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 0)
    let stranger = UUIDBytes()
    let event = SendEvent(status: .delivered, at: CampaignFixture.start, source: .receipt, vendorMessageID: "v")
    #expect(try await fixture.store.merge([stranger: [event]]).anomalies == ["unmatched": 1])
    _ = try await fixture.store.merge([stranger: [event]])
    let parked = try await fixture.store.mongo.withConnection { try $0.count(Collections.parkedReceipts, [:]) }
    #expect(parked == 1)
  }

  @Test func anEmptyAudienceCompletesAtOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 0)
    let (run, chunks) = try await fixture.frozenRun()
    #expect(chunks.isEmpty)
    #expect(try await fixture.store.completeIfDone(run.id))
    #expect(try await fixture.checkedStats(run.id).audience == 0)
  }

  @Test func aLaunchIsMadeOnceAndRefusedWhileItRuns() async throws {
    let fixture = try await CampaignFixture.make(leads: 5)
    let id = UUIDBytes()
    let first = try await fixture.store.launch(campaignID: fixture.campaign.id, runID: id)
    let again = try await fixture.store.launch(campaignID: fixture.campaign.id, runID: id)
    #expect(first.run.id == id && again.run.id == id)
    let error = await #expect(throws: StoreError.self) {
      try await fixture.store.launch(campaignID: fixture.campaign.id)
    }
    guard case .conflict(_, let status, let running)? = error else {
      Issue.record("expected a conflict, got \(String(describing: error))")
      return
    }
    #expect(status == "RUNNING" && running == id.string)
  }

  @Test func manyLaunchesAtOnceMakeOneRun() async throws {
    let fixture = try await CampaignFixture.make(leads: 5)
    let made = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { (try? await fixture.store.launch(campaignID: fixture.campaign.id)) != nil }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(made == 1)
    let runs = try await fixture.store.mongo.withConnection { try $0.count(Collections.campaignRuns, [:]) }
    #expect(runs == 1)
  }

  @Test func oneWorkerFreezesAndTheNextGoesOnWhereItStopped() async throws {
    let fixture = try await CampaignFixture.make(leads: 30)
    let run = try await fixture.store.launch(campaignID: fixture.campaign.id).run
    let first = try await fixture.store.leaseFreeze(run.id, owner: "a", seconds: 60).unwrapped("a free lease")
    #expect(try await fixture.store.leaseFreeze(run.id, owner: "b", seconds: 60) == nil)
    let bound = try first.upperBound.unwrapped("an upper bound")
    let page = try await fixture.store.audiencePage(matching: [:], after: nil, upTo: bound, limit: 10)
    try await fixture.store.freezeChunk(first, sequence: 0, leadIDs: page, hash: "h", leaseSeconds: 0)
    let second = try await fixture.store.leaseFreeze(run.id, owner: "b", seconds: 60).unwrapped("a lapsed lease")
    #expect(second.run.cursor == page.last && second.run.chunks == 1 && second.run.audience == 10)
    #expect(second.fence > first.fence)
    let rest = try await fixture.store.audiencePage(
      matching: [:], after: second.run.cursor, upTo: bound, limit: 100)
    await #expect(throws: FreezeInterrupted.self) {
      try await fixture.store.freezeChunk(first, sequence: 1, leadIDs: rest, hash: "h", leaseSeconds: 60)
    }
    try await fixture.store.freezeChunk(second, sequence: 1, leadIDs: rest, hash: "h", leaseSeconds: 60)
    try await fixture.store.finishFreeze(second)
    #expect(try await fixture.checkedStats(run.id).audience == 30)
  }

  @Test func leadsThatComeWhileAnAudienceIsFrozenDoNotBelongToIt() async throws {
    let fixture = try await CampaignFixture.make(leads: 5)
    let run = try await fixture.store.launch(campaignID: fixture.campaign.id).run
    let lease = try await fixture.store.leaseFreeze(run.id, owner: "a", seconds: 60).unwrapped("a free lease")
    let late = Lead(
      id: ObjectID(), name: "Late", emails: ["late@example.com"], createdAt: CampaignFixture.start,
      updatedAt: CampaignFixture.start)
    try await fixture.store.mongo.withConnection { try $0.insertOne(Collections.leads, late.bson()) }
    let bound = try lease.upperBound.unwrapped("an upper bound")
    let page = try await fixture.store.audiencePage(matching: [:], after: nil, upTo: bound, limit: 10)
    #expect(page == fixture.leads.map(\.id).sorted())
  }

  @Test func aHandMadeChunkIsAppendedToARunThatIsNotOver() async throws {
    let fixture = try await CampaignFixture.make(leads: 12)
    let (run, chunks) = try await fixture.frozenRun(chunkSize: 5)
    let wanted = [fixture.leads[1].id, fixture.leads[7].id, ObjectID()]
    let holding = try await fixture.store.chunks(run: run.id, holding: wanted)
    #expect(Set(holding.map(\.sequence)) == [0, 1])
    #expect(chunks.count == 3)
    let extra = ObjectID()
    let appended = try await fixture.store.appendChunk(run: run.id, leadIDs: [extra]).unwrapped("a chunk")[0]
    #expect(appended.origin == .manual)
    #expect(try await fixture.store.chunks(run: run.id, holding: [extra]).map(\.id) == [appended.id])
    let expanded = try await fixture.store.expand(appended, of: run, render: CampaignFixture.render)
    #expect(expanded.skipped == 1)
    let stats = try await fixture.checkedStats(run.id)
    #expect(stats.audience == 13 && stats.skipped == 1)
    #expect(try await fixture.store.run(run.id)?.audience == 13)
  }

  @Test func aSweepFindsWhatWasLostAndSettlesWhatIsDone() async throws {
    let fixture = try await CampaignFixture.make(leads: 10)
    let (run, chunks) = try await fixture.frozenRun()
    // The test's clock is far from MongoDB's, and must not matter: the chunk was published just now.
    func stale(_ idleSeconds: Int) async throws -> [ObjectID] {
      try await fixture.store.takeChunksToSweep(run: run.id, idleSeconds: idleSeconds, limit: 1).map(\.id)
    }
    #expect(try await stale(3600).isEmpty)
    #expect(try await stale(0) == [chunks[0].id])
    fixture.clock.set(Timestamp(milliseconds: 4_102_444_800_000))
    let late = try await fixture.store.appendChunk(run: run.id, leadIDs: [ObjectID()]).unwrapped("a chunk")[0]
    #expect(
      try await fixture.store.takeChunksToSweep(run: run.id, idleSeconds: 0, limit: 10).map(\.id).contains(late.id))
    _ = try await fixture.store.expand(late, of: run, render: CampaignFixture.render)
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    _ = try await fixture.store.claim(Array(jobs.prefix(4)), owner: "worker")
    var state = try await fixture.store.sweep(chunks[0], of: run, leaseSeconds: 3600)
    #expect(Set(state.queued) == Set(jobs.dropFirst(4)) && state.lapsed.isEmpty && state.open == 10)
    state = try await fixture.store.sweep(chunks[0], of: run, leaseSeconds: 0)
    #expect(Set(state.lapsed) == Set(jobs.prefix(4).map(\.sendID)))
    _ = try await fixture.store.merge(events(jobs, .sent))
    #expect(try await fixture.store.sweep(chunks[0], of: run, leaseSeconds: 0).open == 0)
  }

  /// A gateway whose clock is a century ahead launches, and dies before it has told anybody.
  @Test func aLaunchThatNobodyTakesUpIsFoundWhateverTheClockSaid() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    fixture.clock.set(Timestamp(milliseconds: 4_102_444_800_000))
    let launch = try await fixture.store.launch(campaignID: fixture.campaign.id)
    #expect(try await fixture.store.stalledLaunches(olderThanSeconds: 0, limit: 10).map(\.id) == [launch.run.id])
    #expect(try await fixture.store.stalledLaunches(olderThanSeconds: 3600, limit: 10).isEmpty)
    #expect(
      try await fixture.store.launch(campaignID: fixture.campaign.id, runID: launch.run.id).run.id == launch.run.id)
  }

  @Test func leasesHaveOneOwnerUntilTheyRunOutOrAreReleased() async throws {
    let store = try await TestServers.shared.store()
    #expect(try await store.acquireLease("sweeper", owner: "a", seconds: 60))
    #expect(try await store.acquireLease("sweeper", owner: "a", seconds: 60))
    #expect(try await store.acquireLease("sweeper", owner: "b", seconds: 60) == false)
    try await store.releaseLease("sweeper", owner: "b")
    #expect(try await store.acquireLease("sweeper", owner: "b", seconds: 60) == false)
    try await store.releaseLease("sweeper", owner: "a")
    #expect(try await store.acquireLease("sweeper", owner: "b", seconds: 0))
    #expect(try await store.acquireLease("sweeper", owner: "a", seconds: 60))
  }

  @Test func slotsOfASharedLimitAreGivenOutOnceAndEvenly() async throws {
    let store = try await TestServers.shared.store()
    let turns = try await withThrowingTaskGroup(of: ContinuousClock.Instant.self) { group in
      for _ in 0..<20 {
        group.addTask {
          let wait = try await store.reserveSlots("sim/whatsapp", count: 5, perMinute: 600).wait
          return .now + wait
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }.sorted()
    }
    // 100 slots at 10 a second: the last reservation's turn comes 9.5 seconds after the first's, told as late as the answers
    // come.
    #expect(turns[0].duration(to: turns[19]) > .seconds(7))
    #expect(turns[0].duration(to: turns[10]) > .seconds(3))
  }
}
