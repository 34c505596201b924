import BSON
import CRMCore
import JSON

/// Which keys of metadata have a column of their own in a file of leads.
///
/// Texts, numbers and booleans do, at any depth: the type of a key is that of the first value that is found. Everything else
/// (lists, empty texts, a value of another type, keys beyond the limit) stands in the column `metadata:json`, so that a file
/// says all there is.
struct MetadataColumns: Sendable {
  static let most = 500

  private var types: [[String]: LeadColumn.MetadataType] = [:]
  private(set) var columns: [LeadColumn] = []
  private var places: [[String]: Int] = [:]

  /// Learns the keys of one lead.
  mutating func note(_ metadata: BSONDocument) {
    visit(metadata, []) { path, value in
      guard types[path] == nil, types.count < MetadataColumns.most, let (type, _) = MetadataColumns.cell(value) else {
        return
      }
      types[path] = type
    }
  }

  /// Puts the columns into the order of their names; nothing more is learnt afterwards.
  mutating func settle() {
    columns = types.map { .metadata(path: $0.key, $0.value) }.sorted { $0.fieldName < $1.fieldName }
    for (place, column) in columns.enumerated() {
      if case .metadata(let path, _) = column { places[path] = place }
    }
  }

  /// A lead's cells, one for each column, and what has none of its own.
  func cells(_ metadata: BSONDocument) -> (cells: [(type: LeadColumn.MetadataType, text: String)?], rest: JSONObject) {
    var cells = [(type: LeadColumn.MetadataType, text: String)?](repeating: nil, count: columns.count)
    let rest = fill(&cells, from: metadata, [])
    return (cells, rest)
  }

  private func fill(
    _ cells: inout [(type: LeadColumn.MetadataType, text: String)?], from document: BSONDocument, _ path: [String]
  ) -> JSONObject {
    var rest = JSONObject()
    for (key, value) in document {
      let place = path + [key]
      if let nested = value.documentValue, !nested.isEmpty {
        let left = fill(&cells, from: nested, place)
        if !left.isEmpty { rest.entries.append((key, .object(left))) }
      } else if let cell = MetadataColumns.cell(value), let index = places[place], types[place] == cell.type {
        cells[index] = cell
      } else {
        rest.entries.append((key, JSONValue(bson: value)))
      }
    }
    return rest
  }

  private func visit(_ document: BSONDocument, _ path: [String], _ leaf: ([String], BSONValue) -> Void) {
    for (key, value) in document {
      if let nested = value.documentValue { visit(nested, path + [key], leaf) } else { leaf(path + [key], value) }
    }
  }

  /// Nil: no cell says this.
  private static func cell(_ value: BSONValue) -> (type: LeadColumn.MetadataType, text: String)? {
    switch value {
    case .string(let text): text.isEmpty ? nil : (.text, text)
    case .int32(let number): (.number, String(number))
    case .int64(let number): (.number, String(number))
    case .double(let number): number.isFinite ? (.number, number.description) : nil
    case .bool(let flag): (.boolean, flag ? "true" : "false")
    default: nil
    }
  }
}
