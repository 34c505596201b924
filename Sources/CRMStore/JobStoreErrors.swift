import BSON
import CivilTime
import Mongo

extension Store {
  /// Rejected rows of a job whose errors are kept; of those beyond, there may be a batch's more.
  public static let jobErrorLimit: Int64 = 100_000

  /// Stores errors of rows. The same row's errors stored twice are there once: their ids follow from job, row and
  /// place.
  public func addJobErrors(_ errors: [(job: ObjectID, error: JobRowError)]) async throws {
    guard !errors.isEmpty else { return }
    let now = clock.now()
    var rows: [BSONDocument] = []
    for (job, list) in Dictionary(grouping: errors, by: \.job) {
      rows += Store.errorDocuments(job, list.map(\.error), now)
    }
    let documents = rows
    try await mongo.withConnection { try Store.insertErrors(documents, $0) }
  }

  /// A page of a job's errors in the order of their rows: constant work at any depth.
  ///
  /// - Parameter after: `next` of the page before; nil for the first.
  /// - Returns: at most `limit` errors, and where the next page begins; nil at the end.
  public func jobErrors(
    _ job: ObjectID, after: String? = nil, limit: Int
  ) async throws -> (errors: [JobRowError], next: String?) {
    var options = FindOptions()
    options.sort = ["_id": 1]
    options.limit = limit
    let settled = options
    let documents = try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.jobErrors,
        ["_id": ["$gt": .string(after ?? "\(job.hex)/"), "$lt": .string("\(job.hex)0")]],  // "0" follows "/"
        settled, limit: limit)
    }
    let errors = documents.map { document in
      JobRowError(
        row: document["row"]?.int64Value ?? 0, field: document["field"]?.stringValue ?? "",
        code: document["code"]?.stringValue ?? "", message: document["message"]?.stringValue ?? "")
    }
    return (errors, documents.count < limit ? nil : documents.last?["_id"]?.stringValue)
  }

  /// The id `<job>/<row, 12 digits>/<place, 4 digits>` sorts by row and makes a repetition a duplicate.
  static func errorDocuments(_ job: ObjectID, _ errors: [JobRowError], _ now: Timestamp) -> [BSONDocument] {
    var places: [Int64: Int] = [:]
    return errors.map { error in
      let place = places[error.row, default: 0]
      places[error.row] = place + 1
      var document = BSONDocument()
      document.append("_id", "\(job.hex)/\(padded(error.row, 12))/\(padded(Int64(place), 4))")
      document.append("job_id", job)
      document.append("row", error.row)
      document.append("field", error.field)
      document.append("code", error.code)
      document.append("message", error.message)
      document.appendDate("created_at", milliseconds: now.milliseconds)
      return document
    }
  }

  /// Inserts error documents; those that exist already are left as they are.
  static func insertErrors(_ documents: [BSONDocument], _ connection: MongoConnection) throws {
    let result = try connection.insertMany(Collections.jobErrors, documents, ordered: false)
    if let failure = result.errors.first(where: { !$0.isDuplicateKey }) {
      throw MongoError(kind: .bulk, code: failure.code, message: failure.message)
    }
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
