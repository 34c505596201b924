import CRMCore
import CRMStore
import CSV
import JSON

/// A file of leads that says all there is of them. They are read twice: for the columns of their metadata, and for the rows.
struct LeadExport: CSVSource {
  private enum Step {
    case learn, header, rows
  }

  private var learning: LeadPages
  private var reading: LeadPages
  private var step = Step.learn
  private var metadata = MetadataColumns()
  /// The first page of the first reading, which is fetched before the answer begins.
  private var fetched: [Lead]?

  /// - Throws: what keeps the leads from being read, before anything has been answered.
  init(_ query: LeadQuery, store: Store) async throws {
    learning = try await store.leadPages(query)
    reading = learning
    fetched = try await learning.next()
  }

  mutating func next() async throws -> [UInt8]? {
    switch step {
    case .learn:
      let page = if let first = fetched.taken() { first } else { try await learning.next() }
      for lead in page { metadata.note(lead.metadata) }
      if page.isEmpty {
        metadata.settle()
        step = .header
      }
      return []
    case .header:
      step = .rows
      return header
    case .rows:
      let page = try await reading.next()
      return page.isEmpty ? nil : rows(page)
    }
  }

  private var header: [UInt8] {
    var writer = CSVWriter()
    for column in LeadColumn.fixed + metadata.columns + [.metadataObject] { writer.plain(column.fieldName) }
    writer.endRow()
    return writer.take()
  }

  private func rows(_ leads: [Lead]) -> [UInt8] {
    var writer = CSVWriter(reservingCapacity: 256 * leads.count)
    for lead in leads {
      for column in LeadColumn.fixed { write(column, of: lead, to: &writer) }
      let (cells, rest) = metadata.cells(lead.metadata)
      for cell in cells {
        if let cell, cell.type == .text { writer.field(cell.text) } else { writer.plain(cell?.text) }
      }
      writer.plain(rest.isEmpty ? nil : JSONValue.object(rest).encodedString())
      writer.endRow()
    }
    return writer.take()
  }

  private func write(_ column: LeadColumn, of lead: Lead, to writer: inout CSVWriter) {
    switch column {
    case .name: writer.field(lead.name)
    case .emails: writer.field(CSVList.joined(lead.emails))
    case .phones: writer.field(CSVList.joined(lead.phones))
    case .tags: writer.field(CSVList.joined(lead.tags))
    case .totalSpend: writer.plain(lead.totalSpend.description)
    case .visits: writer.plain(String(lead.visits))
    case .lastOrderAt: writer.plain(lead.lastOrderAt?.description)
    case .optedOut(let channel): writer.plain(lead.optedOut[channel]?.description)
    case .id: writer.plain(lead.id.hex)
    case .createdAt: writer.plain(lead.createdAt.description)
    case .updatedAt: writer.plain(lead.updatedAt.description)
    case .metadata, .metadataObject: break
    }
  }
}

extension Optional {
  /// The value, of which nothing is left behind.
  fileprivate mutating func taken() -> Wrapped? {
    defer { self = nil }
    return self
  }
}
