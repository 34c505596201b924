import BSON
import CRMStore
import CSV

/// What is wrong with the rows of an import as a file: `row,field,code,message`.
struct JobErrorExport: CSVSource {
  private static let pageSize = 1000

  private let store: Store
  private let job: ObjectID
  private var place: String?
  private var isAtEnd = false
  private var hasHeader = false

  init(_ job: ObjectID, store: Store) {
    self.job = job
    self.store = store
  }

  mutating func next() async throws -> [UInt8]? {
    var writer = CSVWriter()
    guard hasHeader else {
      for name in ["row", "field", "code", "message"] { writer.plain(name) }
      writer.endRow()
      hasHeader = true
      return writer.take()
    }
    if isAtEnd { return nil }
    let (errors, next) = try await store.jobErrors(job, after: place, limit: JobErrorExport.pageSize)
    place = next
    isAtEnd = next == nil
    for error in errors {
      writer.plain(String(error.row))
      writer.field(error.field)
      writer.field(error.code)
      writer.field(error.message)
      writer.endRow()
    }
    return writer.take()
  }
}
