import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

/// A send that a vendor is to be asked about.
public struct OpenInquiry: Sendable {
  public let sendID: UUIDBytes
  public let campaignID: ObjectID
  public let leadID: ObjectID
  public let attempt: Int32
  /// Who was called last, or told last; nil when nobody knows.
  public let vendor: String?
  public let inquiry: Inquiry
}

extension Store {
  /// Longest time between two questions about one send.
  private static let longestPause: Int64 = 3_600_000

  /// Takes sends that are due to be asked about: UNKNOWN ones, and those that have been SENT for long.
  ///
  /// Each is put off before it is asked about, by one second doubled with every question, but not past the deadline of an
  /// UNKNOWN one; so a worker that dies meanwhile delays a question and loses none.
  public func takeInquiries(limit: Int, deadlineSeconds: Int) async throws -> [OpenInquiry] {
    try await mongo.withConnection { connection in
      var due: [(row: BSONDocument, run: UUIDBytes)] = []
      try connection.aggregate(
        Collections.communicationLogs,
        [
          ["$match": ["ask_at": ["$exists": true], "$expr": ["$lte": ["$ask_at", "$$NOW"]]]],
          ["$sort": ["ask_at": 1]], ["$limit": .int64(Int64(limit))],
          [
            "$project": [
              "campaign_id": 1, "run_id": 1, "lead_id": 1, "status": 1, "attempt": 1, "asked": 1, "resends": 1,
              "vendor": ["$ifNull": ["$route.vendor", "$vendor"]],
              "age_ms": ["$subtract": ["$$NOW", ["$ifNull": ["$unknown_since", "$sent_at"]]]],
            ]
          ],
        ], options: AggregateOptions(hint: "ask_due")
      ) { row in
        guard let run = row["run_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }) else { return .more }
        due.append((row, run))
        return .more
      }
      guard !due.isEmpty else { return [] }
      try Store.putOff(due.compactMap { $0.row["_id"] }, deadlineSeconds: deadlineSeconds, connection)
      var policies: [UUIDBytes: DeliveryPolicy] = [:]
      try connection.find(
        Collections.campaignRuns, ["_id": ["$in": .array(Set(due.map(\.run)).map { .uuid($0.bytes) })]],
        FindOptions(projection: ["delivery_policy": 1])
      ) { run in
        if let id = run["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }) {
          policies[id] = run["delivery_policy"]?.stringValue.flatMap(DeliveryPolicy.init(rawValue:))
        }
        return .more
      }
      return try due.map { try OpenInquiry(bson: $0.row, policy: policies[$0.run] ?? .atMostOnce) }
    }
  }

  private static func putOff(_ ids: [BSONValue], deadlineSeconds: Int, _ connection: MongoConnection) throws {
    let step: BSONValue = [
      "$min": [
        .int64(longestPause),
        ["$multiply": [1000, ["$pow": [2, ["$min": [["$ifNull": ["$asked", 0]], 12]]]]]],
      ]
    ]
    let deadline: BSONValue = [
      "$cond": [
        ["$eq": ["$status", .string(SendStatus.unknown.rawValue)]],
        ["$add": ["$unknown_since", .int64(Int64(deadlineSeconds) * 1000)]], .null,
      ]
    ]
    let next: BSONValue = ["$add": ["$$NOW", ["$toLong": step]]]
    _ = try connection.updateMany(
      Collections.communicationLogs, ["_id": ["$in": .array(ids)], "ask_at": ["$exists": true]],
      pipeline: [
        ["$set": ["ask_at": next, "ask_deadline": deadline, "asked": ["$add": [["$ifNull": ["$asked", 0]], 1]]]],
        [
          "$set": [
            "ask_at": [
              "$cond": [
                ["$and": [["$gt": ["$ask_deadline", "$$NOW"]], ["$lt": ["$ask_deadline", "$ask_at"]]]],
                "$ask_deadline", "$ask_at",
              ]
            ]
          ]
        ],
        ["$unset": "ask_deadline"],
      ])
  }

  /// Asks no more about these sends, as long as nothing new is told of them.
  public func stopAsking(_ sends: [UUIDBytes]) async throws {
    guard !sends.isEmpty else { return }
    try await mongo.withConnection { connection in
      _ = try connection.updateMany(
        Collections.communicationLogs, ["_id": ["$in": .array(sends.map { .uuid($0.bytes) })]],
        ["$unset": ["ask_at": ""]])
    }
  }

  /// Lets UNKNOWN sends be made again under their send ids, in a cycle of attempts of their own.
  ///
  /// They stay UNKNOWN until an outcome is told. One that has been decided meanwhile, or that waits for a call already,
  /// is left alone.
  /// - Parameter sends: each with the attempt that was its last when this was decided.
  /// - Returns: how many will be sent again.
  public func resend(_ sends: [(id: UUIDBytes, attempt: Int32)]) async throws -> Int {
    guard !sends.isEmpty else { return 0 }
    return try await mongo.withConnection { connection in
      var resent = 0
      for (attempt, group) in Dictionary(grouping: sends, by: \.attempt) {
        resent += try connection.updateMany(
          Collections.communicationLogs,
          [
            "_id": ["$in": .array(group.map { .uuid($0.id.bytes) })], "attempt": .int32(attempt),
            "status": .string(SendStatus.unknown.rawValue), "retry_at": ["$exists": false],
          ],
          pipeline: [
            [
              "$set": [
                "retry_at": "$$NOW", "cycle_base": "$attempt", "resends": ["$add": [["$ifNull": ["$resends", 0]], 1]],
                "route.ambiguous_since": ["$ifNull": ["$route.ambiguous_since", "$unknown_since"]],
                "unknown_since": "$$NOW",
              ]
            ],
            ["$unset": "lease"],
          ]
        ).modified
      }
      return resent
    }
  }

  /// Finds, chunk by chunk, sends that have been SENT for long without a receipt, and lets them be asked about.
  ///
  /// - Parameter limit: chunks looked at.
  /// - Returns: how many sends will be asked about.
  public func markOldSends(afterSeconds seconds: Int, limit: Int) async throws -> Int {
    try await mongo.withConnection { connection in
      var marked = 0
      for _ in 0..<limit {
        let taken = try connection.findAndModify(
          Collections.audienceChunks,
          ["ask_at": ["$exists": true], "$expr": Store.olderThan("$ask_at", seconds: seconds)],
          update: ["$currentDate": ["ask_at": true]], returnNew: true, sort: ["ask_at": 1])
        guard let taken else { break }
        marked += try Store.markOldSends(of: try AudienceChunk(bson: taken), connection)
      }
      return marked
    }
  }

  /// A chunk in which nothing is queued or sending any more need not be looked at again.
  private static func markOldSends(of chunk: AudienceChunk, _ connection: MongoConnection) throws -> Int {
    guard let run = try Store.run(chunk.runID, connection) else { return 0 }
    let ids = BSONValue.array(
      chunk.leadIDs.map { .uuid(SendID.make(run: run.id, lead: $0, channel: run.channel).bytes) })
    let open = try connection.findOne(
      Collections.communicationLogs,
      [
        "_id": ["$in": ids],
        "status": ["$in": [.string(SendStatus.queued.rawValue), .string(SendStatus.sending.rawValue)]],
      ], FindOptions(projection: ["_id": 1]))
    let marked = try connection.updateMany(
      Collections.communicationLogs,
      ["_id": ["$in": ids], "status": .string(SendStatus.sent.rawValue), "ask_at": ["$exists": false]],
      ["$currentDate": ["ask_at": true], "$set": ["asked": .int32(0)]])
    if open == nil || run.state.isFinal {
      _ = try connection.updateOne(
        Collections.audienceChunks, ["_id": .objectID(chunk.id)], ["$unset": ["ask_at": ""]])
    }
    return marked.modified
  }
}

extension OpenInquiry {
  fileprivate init(bson row: BSONDocument, policy: DeliveryPolicy) throws {
    guard let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
      let campaign = row["campaign_id"]?.objectIDValue, let lead = row["lead_id"]?.objectIDValue,
      let status = row["status"]?.stringValue.flatMap(SendStatus.init(rawValue:))
    else { throw DocumentError(collection: Collections.communicationLogs, document: row) }
    self.init(
      sendID: id, campaignID: campaign, leadID: lead, attempt: Int32(clamping: row["attempt"]?.int64Value ?? 0),
      vendor: row["vendor"]?.stringValue,
      inquiry: Inquiry(
        status: status, age: .milliseconds(max(0, row["age_ms"]?.int64Value ?? 0)),
        asked: Int(row["asked"]?.int64Value ?? 0) + 1, resends: Int(row["resends"]?.int64Value ?? 0), policy: policy))
  }
}
