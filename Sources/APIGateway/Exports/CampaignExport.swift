import BSON
import CRMCore
import CRMStore
import CSV
import JSON

/// The sends of a run as a file: one row a lead.
struct CampaignExport: CSVSource {
  private static let columns: [(name: String, path: [String])] =
    [
      ("send_id", ["_id"]), ("lead_id", ["lead_id"]), ("channel", ["channel"]), ("to", ["to"]), ("status", ["status"]),
      ("reason", ["error", "message"]), ("error_class", ["error", "class"]), ("attempt", ["attempt"]),
      ("vendor", ["vendor"]), ("vendor_message_id", ["vendor_message_id"]),
    ]
    + SendStatus.allCases.compactMap(SendHistory.field).map { ($0, [$0]) }
    + [("updated_at", ["updated_at"]), ("message", ["message"])]

  private var pages: SendPages
  private var hasHeader = false

  init(_ pages: SendPages) { self.pages = pages }

  mutating func next() async throws -> [UInt8]? {
    var writer = CSVWriter()
    guard hasHeader else {
      for column in CampaignExport.columns { writer.plain(column.name) }
      writer.endRow()
      hasHeader = true
      return writer.take()
    }
    let page = try await pages.next()
    if page.isEmpty { return nil }
    for row in page {
      for (_, path) in CampaignExport.columns {
        var value = row[path[0]]
        for key in path.dropFirst() { value = value?[key] }
        CampaignExport.write(value, to: &writer)
      }
      writer.endRow()
    }
    return writer.take()
  }

  private static func write(_ value: BSONValue?, to writer: inout CSVWriter) {
    switch value.map(JSONValue.init(bson:)) {
    case .string(let text): writer.field(text)
    case .int(let number): writer.plain(String(number))
    case .double(let number): writer.plain(number.description)
    default: writer.plain(nil)
    }
  }
}
