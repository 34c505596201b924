import BSON
import Mongo

/// How far a job's rows in one partition of its topic have been counted.
public struct JobWatermark: Sendable, Equatable {
  /// The highest offset counted.
  public var offset: Int64
  /// The highest row counted.
  public var row: Int64
  /// Rows of the newest batch that have been counted; nil for a job whose rows come once.
  public var batch: JobBatchMark?

  public init(offset: Int64, row: Int64, batch: JobBatchMark? = nil) {
    self.offset = offset
    self.row = row
    self.batch = batch
  }

  /// Whether a record has been counted before, which is so when it is a redelivery.
  ///
  /// The offset alone would take the rows of a topic that was made anew (its offsets begin at 0 again) for old ones,
  /// and the row alone those that the gateway had to send again; a true redelivery is old by both.
  public func covers(offset: Int64, row: Int64) -> Bool { offset <= self.offset && row <= self.row }
}

/// Which rows of a batch have been counted in one partition.
///
/// Batches are handed over one after the other, each only when all records of the one before are at the broker. A partition
/// therefore holds them in their order, and only the newest can still come again: rows of an older one have been counted.
public struct JobBatchMark: Sendable, Equatable {
  /// The first row.
  public let first: Int64
  private var counted: [UInt8]

  public init(first: Int64) {
    self.first = first
    counted = []
  }

  /// Whether a row is counted already.
  ///
  /// - Parameter batch: the first row of the batch that it comes in.
  public func covers(row: Int64, ofBatch batch: Int64) -> Bool {
    guard batch == first else { return batch < first }
    let place = Int(row - first)
    return place >= 0 && place / 8 < counted.count && counted[place / 8] & (1 << UInt8(place % 8)) != 0
  }

  public mutating func insert(row: Int64) {
    let place = Int(row - first)
    guard place >= 0 else { return }
    while counted.count <= place / 8 { counted.append(0) }
    counted[place / 8] |= 1 << UInt8(place % 8)
  }

  init?(bson: BSONValue?) {
    guard let first = bson?["first"]?.int64Value, let counted = bson?["counted"]?.binaryValue else { return nil }
    self.first = first
    self.counted = counted
  }

  var bson: BSONDocument {
    var document = BSONDocument()
    document.append("first", first)
    document.append("counted", binary: counted)
    return document
  }
}

/// What the worker has to know of a job before it stores its rows.
public struct JobProgress: Sendable {
  public var kind: JobKind
  /// Rows that have been rejected so far.
  public var rejected: Int64
  /// By partition of the job's topic.
  public var watermarks: [Int32: JobWatermark]

  public init(kind: JobKind, rejected: Int64 = 0, watermarks: [Int32: JobWatermark]) {
    self.kind = kind
    self.rejected = rejected
    self.watermarks = watermarks
  }
}

/// Rows of one job from one partition that have been stored or rejected, and not been counted yet.
public struct JobAdvance: Sendable {
  public var job: ObjectID
  public var partition: Int32
  /// As it was read by `jobProgress`; nil when the partition had none.
  public var from: JobWatermark?
  public var to: JobWatermark
  /// `received` is not used.
  public var counts: JobCounts

  public init(job: ObjectID, partition: Int32, from: JobWatermark?, to: JobWatermark, counts: JobCounts) {
    self.job = job
    self.partition = partition
    self.from = from
    self.to = to
    self.counts = counts
  }
}

extension Store {
  /// Where the counting of these jobs stands; jobs that do not exist are missing from the answer.
  public func jobProgress(_ jobs: Set<ObjectID>) async throws -> [ObjectID: JobProgress] {
    var options = FindOptions()
    options.projection = ["kind": 1, "progress": 1, "rejected": 1]
    let narrowed = options
    let documents = try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.jobs, ["_id": ["$in": .array(jobs.map { .objectID($0) })]], narrowed, limit: jobs.count)
    }
    var progress: [ObjectID: JobProgress] = [:]
    for document in documents {
      guard let id = document["_id"]?.objectIDValue,
        let kind = document["kind"]?.stringValue.flatMap(JobKind.init(rawValue:))
      else { throw DocumentError(collection: Collections.jobs, document: document) }
      var watermarks: [Int32: JobWatermark] = [:]
      for (key, value) in document["progress"]?.documentValue ?? BSONDocument() {
        guard let partition = Int32(key.dropFirst()), let offset = value["offset"]?.int64Value,
          let row = value["row"]?.int64Value
        else { throw DocumentError(collection: Collections.jobs, document: document) }
        watermarks[partition] = JobWatermark(offset: offset, row: row, batch: JobBatchMark(bson: value["batch"]))
      }
      progress[id] = JobProgress(
        kind: kind, rejected: document["rejected"]?.int64Value ?? 0, watermarks: watermarks)
    }
    return progress
  }

  /// Moves watermarks and adds counts, each pair in one document's change: a row is counted once however often its
  /// record is delivered, and by whichever worker. Completes jobs of which this was the last.
  ///
  /// - Returns: false when a watermark was not where `from` says because another worker, to which the partition moved,
  ///   has been faster. Nothing is counted for it then; read the progress anew and leave out what is covered.
  public func advanceJobs(_ advances: [JobAdvance]) async throws -> Bool {
    guard !advances.isEmpty else { return true }
    let now = clock.now()
    let operations = advances.map { advance -> WriteModel in
      let key = "progress.p\(advance.partition)"
      var filter: BSONDocument = ["_id": .objectID(advance.job)]
      if let from = advance.from {
        filter.append("\(key).offset", from.offset)
        filter.append("\(key).row", from.row)
        if let batch = from.batch { filter.append("\(key).batch", document: batch.bson) }
      } else {
        filter.append(key, ["$exists": false])
      }
      let counts = advance.counts
      func sum(_ field: String, _ amount: Int64) -> BSONValue { ["$add": ["$\(field)", .int64(amount)]] }
      var changes: BSONDocument = [
        "processed": sum("processed", counts.processed), "inserted": sum("inserted", counts.inserted),
        "modified": sum("modified", counts.modified), "rejected": sum("rejected", counts.rejected),
      ]
      var mark: BSONDocument = ["offset": .int64(advance.to.offset), "row": .int64(advance.to.row)]
      if let batch = advance.to.batch { mark.append("batch", document: batch.bson) }
      changes.append(key, document: mark)
      return .updateOnePipeline(
        filter: filter, pipeline: [["$set": .document(changes)], Store.settleJob(at: now)])
    }
    let result = try await mongo.withConnection {
      try $0.bulkWrite(Collections.jobs, operations, ordered: false)
    }
    if let failure = result.errors.first {
      throw MongoError(kind: .bulk, code: failure.code, message: failure.message)
    }
    return result.matched == advances.count
  }
}
