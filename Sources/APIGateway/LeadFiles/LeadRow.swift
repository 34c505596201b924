import CRMCore
import CSV
import JSON

/// Makes the JSON of a lead from a row of a file. Whether it is a good lead is for the ingest worker to say; what cannot be
/// told from its JSON any more is found here.
struct LeadRow {
  private(set) var errors: [FieldError] = []
  private var lead = JSONObject()
  private var metadata = JSONObject()

  /// - Returns: the lead, or everything that is wrong with the row.
  static func read(_ reader: CSVReader, _ header: LeadHeader) -> Result<JSONValue, ValidationError> {
    if let flaw = reader.flaw {
      return .failure(ValidationError(field: "row", code: flaw.code, message: "\(flaw)"))
    }
    guard reader.fieldCount == header.columns.count else {
      let fields = reader.fieldCount == 1 ? "1 field" : "\(reader.fieldCount) fields"
      let message = "has \(fields), the header has \(header.columns.count)"
      return .failure(ValidationError(field: "row", code: "wrong_field_count", message: message))
    }
    var row = LeadRow()
    // The object first: a column of its own says more.
    for (index, column) in header.columns.enumerated() where column == .metadataObject && !reader.isEmpty(index) {
      row.readMetadata(reader.text(index) ?? "")
    }
    for (index, column) in header.columns.enumerated() where !reader.isEmpty(index) {
      if let column, let text = reader.text(index) { row.set(column, FormulaGuard.unguarded(text)) }
    }
    if let error = ValidationError(row.errors) { return .failure(error) }
    if !row.metadata.isEmpty { row.lead["metadata"] = .object(row.metadata) }
    return .success(.object(row.lead))
  }

  private mutating func set(_ column: LeadColumn, _ text: String) {
    switch column {
    case .name, .lastOrderAt: lead[column.fieldName] = .string(text)
    case .emails, .phones, .tags:
      let elements = CSVList.elements(text).map(JSONValue.string)
      guard !elements.isEmpty else { return }
      lead[column.fieldName] = .array((lead[column.fieldName]?.arrayValue ?? []) + elements)
    case .totalSpend, .visits: lead[column.fieldName] = LeadRow.number(text) ?? .string(text)
    case .optedOut(let channel):
      var channels = lead["opted_out"]?.objectValue ?? [:]
      channels[channel.rawValue] = .string(text)
      lead["opted_out"] = .object(channels)
    case .metadata(let path, let type):
      guard let value = metadataValue(column, type, text) else { return }
      if !LeadRow.put(value, at: path[...], in: &metadata) {
        reject(column, "conflicting", "stands below a key that has a value of its own in this row")
      }
    case .metadataObject, .id, .createdAt, .updatedAt: break
    }
  }

  private mutating func metadataValue(
    _ column: LeadColumn, _ type: LeadColumn.MetadataType, _ text: String
  ) -> JSONValue? {
    switch type {
    case .text: return .string(text)
    case .number:
      if let number = LeadRow.number(text) { return number }
      reject(column, "invalid_type", "must be a number such as 12, -1.5 or 2e3")
    case .boolean:
      switch text.lowercased() {
      case "true", "1": return true
      case "false", "0": return false
      default: reject(column, "invalid_type", "must be true or false")
      }
    }
    return nil
  }

  private mutating func readMetadata(_ text: String) {
    do {
      guard case .object(let object) = try JSONValue.parse(Array(text.utf8), maxDepth: APIRequest.jsonDepth) else {
        return reject(.metadataObject, "invalid_type", "must be a JSON object")
      }
      metadata = object
    } catch {
      reject(.metadataObject, "invalid_json", "\(error)")
    }
  }

  private mutating func reject(_ column: LeadColumn, _ code: String, _ message: String) {
    errors.append(FieldError(field: column.fieldName, code: code, message: message))
  }

  /// - Returns: false when the path leads through something that is no object.
  private static func put(_ value: JSONValue, at path: ArraySlice<String>, in object: inout JSONObject) -> Bool {
    guard let key = path.first else { return false }
    if path.count == 1 {
      if object[key]?.objectValue != nil { return false }
      object[key] = value
      return true
    }
    guard var nested = (object[key] ?? [:]).objectValue else { return false }
    guard put(value, at: path.dropFirst(), in: &nested) else { return false }
    object[key] = .object(nested)
    return true
  }

  /// An integer or a finite number, white space around it aside.
  private static func number(_ text: String) -> JSONValue? {
    let text = text.filter { !$0.isWhitespace }
    let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }
    guard isPlain else { return nil }
    if let integer = Int64(text) { return .int(integer) }
    return Double(text).flatMap { $0.isFinite ? .double($0) : nil }
  }
}
