import JSON

/// The rows of a leads CSV as the API wants them.
struct LeadsFile {
  private var table: CSVTable

  static let known = "name, emails, phones, tags, total_spend, visits, last_order_at, metadata.*"
  private static let plain: Set = ["name", "emails", "phones", "tags", "total_spend", "visits", "last_order_at"]

  init(path: String) throws {
    table = try CSVTable(path: path, known: Self.known) { Self.plain.contains($0) || $0.hasPrefix("metadata.") }
  }

  /// The next lead; nil at the end of the file.
  mutating func next() throws(CSVError) -> JSONObject? {
    guard let fields = try table.next() else { return nil }
    var lead = JSONObject()
    var metadata = JSONObject()
    for (column, text) in fields {
      switch column {
      case "emails", "phones", "tags":
        lead[column] = .array(text.split(separator: ";").map { .string(String($0)) })
      case "total_spend": lead[column] = .double(try number(text, column))
      case "visits":
        guard let visits = Int64(text) else { throw table.error("visits: \"\(text)\" is not a whole number") }
        lead[column] = .int(visits)
      case "name", "last_order_at": lead[column] = .string(text)
      default: try set(&metadata, column, text)
      }
    }
    if !metadata.isEmpty { lead["metadata"] = .object(metadata) }
    return lead
  }

  /// `metadata.address.city` nests; `metadata.age:number` and `metadata.vip:boolean` are not text.
  private func set(_ metadata: inout JSONObject, _ column: String, _ text: String) throws(CSVError) {
    let parts = column.dropFirst("metadata.".count).split(separator: ":", maxSplits: 1)
    let path = (parts.first ?? "").split(separator: ".").map(String.init)
    let value: JSONValue
    switch parts.count > 1 ? parts[1] : "text" {
    case "number":
      if let whole = Int64(text) { value = .int(whole) } else { value = .double(try number(text, column)) }
    case "boolean":
      guard text == "true" || text == "false" else { throw table.error("\(column): \"\(text)\" is not true or false") }
      value = .bool(text == "true")
    default: value = .string(text)
    }
    Self.set(&metadata, path[...], value)
  }

  private static func set(_ object: inout JSONObject, _ path: ArraySlice<String>, _ value: JSONValue) {
    guard let key = path.first else { return }
    if path.count == 1 {
      object[key] = value
    } else {
      var inner = object[key]?.objectValue ?? JSONObject()
      set(&inner, path.dropFirst(), value)
      object[key] = .object(inner)
    }
  }

  private func number(_ text: String, _ column: String) throws(CSVError) -> Double {
    guard let value = Double(text), value.isFinite else { throw table.error("\(column): \"\(text)\" is not a number") }
    return value
  }
}
