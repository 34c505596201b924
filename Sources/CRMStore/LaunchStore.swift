import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

/// A campaign that has been set running, and the run that will carry it out.
public struct Launch: Sendable {
  public let campaign: Campaign
  public let run: CampaignRun
}

extension Store {
  /// Sets a campaign running and writes its run, in one transaction. The launch record is the caller's to publish.
  ///
  /// - Parameters:
  ///   - rerun: allows a final campaign to run again, under new send ids.
  ///   - runID: the id of the run to make. Launching with the id of the campaign's current run changes nothing and
  ///     returns that run, so a caller that derives the id from a request may repeat it.
  /// - Throws: `StoreError.notFound`, or `.conflict` naming the status and, where one is under way, the run.
  public func launch(campaignID: ObjectID, rerun: Bool = false, runID: UUIDBytes = UUIDBytes()) async throws -> Launch {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      guard let document = try connection.findOne(Collections.campaigns, ["_id": .objectID(campaignID)]) else {
        throw StoreError.notFound(what: "campaign", id: campaignID.hex)
      }
      let campaign = try Campaign(bson: document)
      if let current = campaign.currentRun, current == runID, let run = try Store.run(runID, connection) {
        return Launch(campaign: campaign, run: run)
      }
      try Store.checkLaunchable(campaign, rerun: rerun)
      guard let segment = try connection.findOne(Collections.segments, ["_id": .objectID(campaign.segmentID)]) else {
        throw StoreError.notFound(what: "segment", id: campaign.segmentID.hex)
      }
      let run = CampaignRun(
        id: runID, of: campaign, segment: try Segment(bson: segment), asOf: now)
      try connection.insertOne(Collections.campaignRuns, run.bson(), datedBy: "updated_at")
      _ = try connection.updateOne(
        Collections.campaigns, ["_id": .objectID(campaignID)],
        [
          "$set": [
            "status": .string(CampaignStatus.running.rawValue), "current_run": .uuid(runID.bytes),
            "updated_at": .date(milliseconds: now.milliseconds),
          ],
          "$unset": ["failure": "", "stats": "", "confirmation_required": ""],
        ])
      var running = campaign
      running.status = .running
      running.currentRun = runID
      return Launch(campaign: running, run: run)
    }
  }

  private static func checkLaunchable(_ campaign: Campaign, rerun: Bool) throws {
    func conflict(_ message: String) -> StoreError {
      .conflict(
        message: message, currentStatus: campaign.status.rawValue, runID: campaign.currentRun?.string)
    }
    switch campaign.status {
    case .draft, .scheduled: return
    case .running: throw conflict("the campaign is already running")
    case .paused: throw conflict("the campaign is paused: resume it")
    case .completed, .cancelled, .failed:
      guard rerun else {
        throw conflict("the campaign is \(campaign.status.rawValue): ask for it with \"rerun\": true to run it anew")
      }
    }
  }

  /// A run by its id.
  public func run(_ id: UUIDBytes) async throws -> CampaignRun? {
    try await mongo.withConnection { try Store.run(id, $0) }
  }

  static func run(_ id: UUIDBytes, _ connection: MongoConnection) throws -> CampaignRun? {
    try connection.findOne(Collections.campaignRuns, ["_id": .uuid(id.bytes)]).map { try CampaignRun(bson: $0) }
  }

  /// The run that a hand-made chunk without `runId` belongs to: the campaign's current one. A campaign that has never run
  /// gets a run whose audience are the chunks that operators make.
  ///
  /// - Throws: `StoreError.notFound` for an unknown campaign.
  public func currentRun(ofCampaign campaignID: ObjectID) async throws -> CampaignRun {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      guard let document = try connection.findOne(Collections.campaigns, ["_id": .objectID(campaignID)]) else {
        throw StoreError.notFound(what: "campaign", id: campaignID.hex)
      }
      let campaign = try Campaign(bson: document)
      if let current = campaign.currentRun {
        guard let run = try Store.run(current, connection) else {
          throw StoreError.notFound(what: "run", id: current.string)
        }
        return run
      }
      guard let segment = try connection.findOne(Collections.segments, ["_id": .objectID(campaign.segmentID)]) else {
        throw StoreError.notFound(what: "segment", id: campaign.segmentID.hex)
      }
      var run = CampaignRun(id: UUIDBytes(), of: campaign, segment: try Segment(bson: segment), asOf: now)
      run.state = .running
      run.frozen = true
      try connection.insertOne(Collections.campaignRuns, run.bson(), datedBy: "updated_at")
      _ = try connection.updateOne(
        Collections.campaigns, ["_id": .objectID(campaignID)],
        [
          "$set": [
            "status": .string(CampaignStatus.running.rawValue), "current_run": .uuid(run.id.bytes),
            "updated_at": .date(milliseconds: now.milliseconds),
          ]
        ])
      return run
    }
  }

  /// Pauses, resumes or cancels a campaign by hand; the run's epoch grows, which send workers check.
  ///
  /// Asking for the status that it has changes nothing. Setting a campaign RUNNING that has never run is `launch`.
  /// - Throws: `StoreError.notFound`, `.conflict` for a transition that the campaign's life does not know, or `.invalid`
  ///   when it is to be SCHEDULED for a time that has passed.
  public func setStatus(campaignID: ObjectID, to target: CampaignStatus) async throws -> Campaign {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      guard let document = try connection.findOne(Collections.campaigns, ["_id": .objectID(campaignID)]) else {
        throw StoreError.notFound(what: "campaign", id: campaignID.hex)
      }
      var campaign = try Campaign(bson: document)
      if campaign.status == target { return campaign }
      let byHand: Set<CampaignStatus> = [.scheduled, .running, .paused, .cancelled]
      guard byHand.contains(target), campaign.status.canBecome(target),
        target != .running || campaign.status == .paused, target != .scheduled || campaign.scheduleAt != nil
      else {
        throw StoreError.conflict(
          message: "a \(campaign.status.rawValue) campaign cannot become \(target.rawValue)",
          currentStatus: campaign.status.rawValue, runID: campaign.currentRun?.string)
      }
      if target == .scheduled, let at = campaign.scheduleAt, at <= now {
        throw StoreError.invalid([.pastSchedule(now)])
      }
      _ = try connection.updateOne(
        Collections.campaigns, ["_id": .objectID(campaignID)],
        ["$set": ["status": .string(target.rawValue), "updated_at": .date(milliseconds: now.milliseconds)]])
      campaign.status = target
      if let run = campaign.currentRun, target != .scheduled {
        try Store.setRunState(run, for: target, now: now, connection)
      }
      return campaign
    }
  }

  private static func setRunState(
    _ run: UUIDBytes, for target: CampaignStatus, now: Timestamp, _ connection: MongoConnection
  ) throws {
    let state: BSONValue =
      switch target {
      case .paused: .string(RunState.paused.rawValue)
      case .cancelled: .string(RunState.cancelled.rawValue)
      default:
        [
          "$cond": [
            "$frozen", .string(RunState.running.rawValue), .string(RunState.launched.rawValue),
          ]
        ]
      }
    // Whoever freezes stops at its next write; the fence stays, so that the next holder's is higher.
    let lapsed: BSONValue = [
      "$cond": [
        ["$ifNull": ["$lease", false]], ["$mergeObjects": ["$lease", ["until": .date(milliseconds: 0)]]], "$$REMOVE",
      ]
    ]
    let result = try connection.updateOne(
      Collections.campaignRuns, ["_id": .uuid(run.bytes)],
      pipeline: [
        [
          "$set": [
            "state": state, "epoch": ["$add": ["$epoch", 1]], "updated_at": "$$NOW",
            "lease": lapsed,
          ]
        ]
      ])
    guard result.matched == 1 else { throw StoreError.notFound(what: "run", id: run.string) }
  }

  /// Ends a campaign whose launch cannot be carried out; why is kept in the document.
  public func failRun(_ run: CampaignRun, errorClass: String, message: String) async throws {
    let now = clock.now()
    try await mongo.withTransaction { connection in
      let ended = try connection.updateOne(
        Collections.campaignRuns,
        ["_id": .uuid(run.id.bytes), "state": ["$in": .array(RunState.allowing(.fail).map { .string($0.rawValue) })]],
        ["$set": ["state": .string(RunState.failed.rawValue), "updated_at": .date(milliseconds: now.milliseconds)]])
      guard ended.matched == 1 else { return }
      _ = try connection.updateOne(
        Collections.campaigns, ["_id": .objectID(run.campaignID), "current_run": .uuid(run.id.bytes)],
        [
          "$set": [
            "status": .string(CampaignStatus.failed.rawValue),
            "failure": [
              "class": .string(errorClass), "message": .string(message), "at": .date(milliseconds: now.milliseconds),
            ],
            "updated_at": .date(milliseconds: now.milliseconds),
          ]
        ])
    }
  }

  /// Completes a run whose audience is frozen and has nothing pending, queued or sending, with its campaign.
  ///
  /// - Returns: whether this call completed it.
  public func completeIfDone(_ id: UUIDBytes) async throws -> Bool {
    let candidate = try await mongo.withConnection { connection in
      let stats = try RunStats.read(id, connection)
      guard stats.inFlight == 0, let run = try Store.run(id, connection) else { return false }
      return run.state == .running && run.frozen && run.audience == stats.audience
    }
    guard candidate else { return false }
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      guard let run = try Store.run(id, connection), run.state == .running, run.frozen else { return false }
      let stats = try RunStats.read(id, connection)
      guard stats.inFlight == 0, stats.audience == run.audience else { return false }
      let date = BSONValue.date(milliseconds: now.milliseconds)
      _ = try connection.updateOne(
        Collections.campaignRuns, ["_id": .uuid(id.bytes)],
        ["$set": ["state": .string(RunState.completed.rawValue), "completed_at": date, "updated_at": date]])
      _ = try connection.updateOne(
        Collections.campaigns,
        [
          "_id": .objectID(run.campaignID), "current_run": .uuid(id.bytes),
          "status": .string(CampaignStatus.running.rawValue),
        ],
        [
          "$set": [
            "status": .string(CampaignStatus.completed.rawValue), "stats": .document(stats.bson()),
            "completed_at": date, "updated_at": date,
          ]
        ])
      failpoint(.completeUncommitted)
      return true
    }
  }
}
