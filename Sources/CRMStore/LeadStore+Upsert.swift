import BSON
import CRMCore
import CivilTime
import Mongo

extension Store {
  /// Rows written in one round of a bulk upsert.
  static let leadBatch = 1000

  /// Stores leads by e-mail: a row whose e-mails are new becomes a lead, any other is merged into the lead it names.
  ///
  /// Rows may come in any number and may name the same lead several times; they then count in their order. A row whose
  /// e-mails belong to different leads is rejected, and so is one that would make its lead larger than a lead may be.
  /// Repeating a call changes nothing further.
  /// - Parameter ids: of the leads that the rows make, one for each row. A lead that exists and has the id of its row was made
  ///   by it, when the same row came before: `.inserted` then, too.
  /// - Returns: an outcome for each row, in their order.
  public func upsertLeads(_ rows: [LeadInput], ids: [ObjectID]? = nil) async throws -> [RowOutcome] {
    let now = clock.now()
    let plan = RowBatches(rows: rows.count, size: Store.leadBatch) { rows[$0].emails }
    return try await Store.runBatches(plan.batches, rows: rows.count) { batch in
      try await mongo.withConnection { connection in
        var upsert = LeadUpsert(rows: rows, batch: batch, areDistinct: plan.areDistinct, ids: ids, now: now)
        return try upsert.run(connection)
      }
    }
  }
}

/// One batch of a bulk upsert: read the leads that the rows name, merge in memory, write what is new or changed.
///
/// Another writer may take an e-mail between reading and writing; the unique index then refuses the write, and the rows
/// concerned go through another round, in which they find that lead. So do rows whose insert was cut off by a broken
/// connection or a change of primary; in the next round they find by their ids what was stored.
private struct LeadUpsert {
  /// A lead that rows of this batch name: as it was stored, if it was, and as it is to be.
  private struct Draft {
    let stored: Lead?
    var lead: Lead
    var rows: [Int]
  }

  private static let roundLimit = 6
  /// E-mails asked for in one query; keeps it far below the size of a command.
  private static let queryLimit = 10_000

  /// Rows by which a batch is judged: one that has a tenth of known leads is told by them 29 times out of 30.
  private static let sample = 32

  /// What another writer has stored a moment ago must be seen, or the unique index would refuse the row again and again.
  private static let newest = FindOptions(batchSize: 5000, readConcern: .local)
  /// What a cut-off insert has stored counts when a failover cannot undo it.
  private static let durable = FindOptions(batchSize: 5000, readConcern: .majority)

  /// Of all batches: a copy of this one's rows would cost more than the look at them.
  let rows: [LeadInput]
  let now: Timestamp
  /// Of the leads that the batch's rows make.
  private let ids: [ObjectID]
  /// Whether leads with these ids may be there already, made when the rows came before.
  private let mayHaveCome: Bool
  private var wasCutOff = false
  /// The batch's positions in `rows`.
  private let batch: [Int]
  /// Whether no two rows have an e-mail in common.
  private let areDistinct: Bool
  /// One a row of the batch.
  private var outcomes: [RowOutcome]

  init(rows: [LeadInput], batch: [Int], areDistinct: Bool, ids: [ObjectID]?, now: Timestamp) {
    self.rows = rows
    self.batch = batch
    self.areDistinct = areDistinct
    self.ids = batch.map { ids?[$0] ?? ObjectID() }
    mayHaveCome = ids != nil
    self.now = now
    outcomes = [RowOutcome](repeating: .unchanged, count: batch.count)
  }

  /// - Returns: an outcome for each row of the batch.
  mutating func run(_ connection: MongoConnection) throws -> [RowOutcome] {
    // Rows are named by their places in the batch from here on.
    var open = Array(batch.indices)
    var rounds = 0
    while !open.isEmpty {
      guard rounds < LeadUpsert.roundLimit else {
        for row in open { outcomes[row] = .rejected([LeadUpsert.contested]) }
        break
      }
      rounds += 1
      let isUnasked = try rounds == 1 && areMostlyNew(open, connection)
      let byID = rounds > 1 && mayHaveCome || wasCutOff
      let stored = isUnasked ? [] : try stored(open, byID: byID, connection)
      if wasCutOff { open = notInserted(open, among: stored) }
      if stored.isEmpty, areDistinct {
        open = try insert(open, connection)
      } else {
        open = try write(merge(open, into: stored), connection).sorted()
      }
    }
    return outcomes
  }

  /// Whether leads with the e-mails of a few rows, spread over the batch, are all unknown.
  ///
  /// A list of new leads is then inserted unasked. Should some of its rows be known after all, the unique index keeps them
  /// out, and they go through the next round.
  private func areMostlyNew(_ open: [Int], _ connection: MongoConnection) throws -> Bool {
    guard areDistinct, open.count >= 2 * LeadUpsert.sample else { return false }
    let some = stride(from: 0, to: open.count, by: open.count / LeadUpsert.sample).map { open[$0] }
    return try stored(some, byID: false, connection).isEmpty
  }

  /// - Parameter byID: also those that the rows themselves have made before, and that have lost their e-mails since.
  private func stored(_ open: [Int], byID: Bool, _ connection: MongoConnection) throws -> [Lead] {
    let options = wasCutOff ? LeadUpsert.durable : LeadUpsert.newest
    var leads: [ObjectID: Lead] = [:]
    func find(_ filter: BSONDocument) throws {
      try connection.find(Collections.leads, filter, options) { document in
        let lead = try Lead(bson: document)
        leads[lead.id] = lead
        return .more
      }
    }
    let emails = open.flatMap { rows[batch[$0]].emails }
    for start in stride(from: 0, to: emails.count, by: LeadUpsert.queryLimit) {
      let some = emails[start..<min(start + LeadUpsert.queryLimit, emails.count)]
      var filter = BSONDocument()
      filter.appendDocument("emails") { $0.append("$in", strings: Array(some)) }
      try find(filter)
    }
    if byID { try find(["_id": ["$in": .array(open.map { .objectID(ids[$0]) })]]) }
    return Array(leads.values)
  }

  /// The rows whose leads the insert that was cut off has not stored. The others are done: who has changed such a lead since
  /// keeps the change.
  private mutating func notInserted(_ open: [Int], among stored: [Lead]) -> [Int] {
    let present = Set(stored.map(\.id))
    return open.filter { row in
      guard present.contains(ids[row]) else { return true }
      outcomes[row] = .inserted
      return false
    }
  }

  /// Applies the rows in their order to the stored leads, and to those that earlier rows make.
  private mutating func merge(_ open: [Int], into stored: [Lead]) -> [Draft] {
    var drafts: [Draft] = []
    drafts.reserveCapacity(open.count)
    var owner: [String: Int] = [:]
    owner.reserveCapacity(open.count + stored.count)
    var made: [ObjectID: Int] = [:]
    for lead in stored {
      for email in lead.emails { owner[email] = drafts.count }
      made[lead.id] = drafts.count
      drafts.append(Draft(stored: lead, lead: lead, rows: []))
    }
    for row in open {
      let input = rows[batch[row]]
      let id = ids[row]
      var owners: [Int] = []
      for email in input.emails {
        if let draft = owner[email], !owners.contains(draft) { owners.append(draft) }
      }
      if owners.isEmpty, let own = made[id] { owners = [own] }
      switch owners.count {
      case 0:
        for email in input.emails { owner[email] = drafts.count }
        drafts.append(Draft(stored: nil, lead: newLead(of: row), rows: [row]))
        outcomes[row] = .inserted
      case 1:
        let draft = owners[0]
        do throws(ValidationError) {
          let (merged, changed) = try input.merged(into: drafts[draft].lead, at: now)
          if changed { drafts[draft].lead = merged }
          drafts[draft].rows.append(row)
          for email in input.emails { owner[email] = draft }
          let isItsOwn = id == drafts[draft].lead.id
          outcomes[row] = isItsOwn ? .inserted : changed ? .modified : .unchanged
        } catch {
          outcomes[row] = .rejected(error.errors)
        }
      default:
        outcomes[row] = .rejected([LeadUpsert.ambiguous(owners.map { drafts[$0].lead })])
      }
    }
    return drafts
  }

  /// Inserts a lead a row, where no row names a lead that is stored or that another row makes.
  ///
  /// - Returns: rows that met another writer, or all when the insert was cut off for the first time: to be tried again.
  private mutating func insert(_ open: [Int], _ connection: MongoConnection) throws -> [Int] {
    let leads = open.map { newLead(of: $0).bson() }
    do {
      let refused = try connection.insertManyOnce(Collections.leads, leads).duplicates()
      for row in open { outcomes[row] = .inserted }
      return refused.map { open[$0] }
    } catch {
      guard error.kind == .unavailable, !wasCutOff else { throw error }
      wasCutOff = true
      return open
    }
  }

  private func newLead(of row: Int) -> Lead {
    rows[batch[row]].newLead(id: ids[row], at: now)
  }

  /// - Returns: rows that met another writer and are to be tried again.
  private func write(_ drafts: [Draft], _ connection: MongoConnection) throws -> [Int] {
    var contested: [Int] = []
    let new = drafts.filter { $0.stored == nil }
    if !new.isEmpty {
      let refused = try connection.insertMany(Collections.leads, new.map { $0.lead.bson() }).duplicates()
      contested += refused.flatMap { new[$0].rows }
    }
    var changed: [Draft] = []
    var updates: [WriteModel] = []
    for draft in drafts {
      guard let stored = draft.stored, let change = LeadChange.between(stored, draft.lead, at: now) else { continue }
      changed.append(draft)
      updates.append(.updateOne(filter: ["_id": .objectID(stored.id)], update: change))
    }
    guard !updates.isEmpty else { return contested }
    let result = try connection.bulkWrite(Collections.leads, updates, ordered: false)
    let refused = try result.duplicates()
    contested += refused.flatMap { changed[$0].rows }
    if result.matched + refused.count < updates.count {
      contested += try vanished(changed, connection).flatMap(\.rows)
    }
    return contested
  }

  /// Drafts whose lead somebody deleted after it was read.
  private func vanished(_ drafts: [Draft], _ connection: MongoConnection) throws -> [Draft] {
    var present: Set<ObjectID> = []
    var options = FindOptions()
    options.projection = ["_id": 1]
    let ids = drafts.map { BSONValue.objectID($0.lead.id) }
    try connection.find(Collections.leads, ["_id": ["$in": .array(ids)]], options) { document in
      if let id = document["_id"]?.objectIDValue { present.insert(id) }
      return .more
    }
    return drafts.filter { !present.contains($0.lead.id) }
  }

  private static var contested: FieldError {
    FieldError(
      field: "emails", code: "contested",
      message: "other writers kept changing the lead with this e-mail; send it again")
  }

  private static func ambiguous(_ leads: [Lead]) -> FieldError {
    let ids = leads.map(\.id.hex).joined(separator: ", ")
    return FieldError(
      field: "emails", code: "ambiguous", message: "these e-mails belong to \(leads.count) different leads: \(ids)")
  }
}

extension BulkResult {
  /// Positions of the operations that a unique index refused.
  ///
  /// - Throws: the first error of any other kind.
  func duplicates() throws(MongoError) -> [Int] {
    for error in errors where !error.isDuplicateKey {
      throw MongoError(kind: error.kind, code: error.code, message: error.message)
    }
    return errors.map(\.index)
  }
}
