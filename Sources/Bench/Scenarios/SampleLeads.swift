import JSON

/// Made-up leads, the same at every run: about 300 bytes of JSON each.
struct SampleLeads {
  private static let firstNames = [
    "Ana", "Björn", "Chloé", "Dmitri", "Emeka", "Farah", "Goran", "Hana", "Iván", "Jürgen",
  ]
  private static let lastNames = ["Okafor", "Müller", "Nguyen", "Rossi", "Silva", "Tanaka", "Novák", "Haddad", "Kim"]
  private static let cities = ["Lyon", "Porto", "Kraków", "Osaka", "Lagos", "Austin", "Malmö"]
  private static let tags = ["newsletter", "vip", "trial", "returning", "store"]

  /// Bodies of bulk requests.
  static func requests(of count: Int, batch: Int) -> [[UInt8]] {
    stride(from: 0, to: count, by: batch).map { start in
      var writer = JSONWriter(reservingCapacity: batch * 320)
      writer.beginObject()
      writer.key("leads")
      writer.beginArray()
      for index in start..<min(start + batch, count) { write(index, to: &writer) }
      writer.endArray()
      writer.endObject()
      return writer.bytes
    }
  }

  private static func write(_ index: Int, to writer: inout JSONWriter) {
    let first = firstNames[index % firstNames.count]
    let last = lastNames[index / 3 % lastNames.count]
    writer.beginObject()
    writer.field("name", "\(first) \(last)")
    writer.key("emails")
    writer.beginArray()
    writer.string("customer.\(index)@example.org")
    writer.endArray()
    writer.key("phones")
    writer.beginArray()
    writer.string("+4915\(100_000_000 + index)")
    writer.endArray()
    writer.key("tags")
    writer.beginArray()
    writer.string(tags[index % tags.count])
    if index % 3 == 0 { writer.string("loyalty-\(index % 4)") }
    writer.endArray()
    writer.field("total_spend", Double(index % 50_000) / 8)
    writer.field("visits", index % 40)
    writer.field("last_order_at", "2026-0\(1 + index % 6)-1\(index % 10)T08:30:00Z")
    writer.key("metadata")
    writer.beginObject()
    writer.field("city", cities[index % cities.count])
    writer.field("age", 18 + index % 60)
    writer.field("source", "campaign-\(index % 12)")
    writer.endObject()
    writer.endObject()
  }
}
