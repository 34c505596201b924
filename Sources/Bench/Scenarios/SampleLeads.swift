import JSON

/// Made-up leads, the same at every run: about 300 bytes of JSON each, or 150 of CSV.
struct SampleLeads {
  /// Bodies of bulk requests.
  static func requests(of numbers: Range<Int>, batch: Int) -> [[UInt8]] {
    stride(from: numbers.lowerBound, to: numbers.upperBound, by: batch).map { start in
      var writer = JSONWriter(reservingCapacity: batch * 320)
      writer.beginObject()
      writer.key("leads")
      writer.beginArray()
      for index in start..<min(start + batch, numbers.upperBound) { SampleLead(index: index).write(to: &writer) }
      writer.endArray()
      writer.endObject()
      return writer.bytes
    }
  }

  /// A file of those in a range of numbers.
  static func csv(of numbers: Range<Int>) -> [UInt8] {
    var file = Array(SampleLead.header.utf8)
    file.reserveCapacity(file.count + 160 * numbers.count)
    for index in numbers { SampleLead(index: index).write(to: &file) }
    return file
  }
}

private struct SampleLead {
  private static let firstNames = [
    "Ana", "Björn", "Chloé", "Dmitri", "Emeka", "Farah", "Goran", "Hana", "Iván", "Jürgen",
  ]
  private static let lastNames = ["Okafor", "Müller", "Nguyen", "Rossi", "Silva", "Tanaka", "Novák", "Haddad", "Kim"]
  private static let cities = ["Lyon", "Porto", "Kraków", "Osaka", "Lagos", "Austin", "Malmö"]
  private static let tags = ["newsletter", "vip", "trial", "returning", "store"]

  static let header =
    "name,emails,phones,tags,total_spend,visits,last_order_at,metadata.city,metadata.age:number,metadata.source\r\n"

  let index: Int

  private var name: String {
    Self.firstNames[index % Self.firstNames.count] + " " + Self.lastNames[index / 3 % Self.lastNames.count]
  }
  private var email: String { "customer.\(index)@example.org" }
  private var phone: String { "+4915\(100_000_000 + index)" }
  private var tags: [String] {
    [Self.tags[index % Self.tags.count]] + (index % 3 == 0 ? ["loyalty-\(index % 4)"] : [])
  }
  private var totalSpend: Double { Double(index % 50_000) / 8 }
  private var visits: Int { index % 40 }
  private var lastOrderAt: String { "2026-0\(1 + index % 6)-1\(index % 10)T08:30:00Z" }
  private var city: String { Self.cities[index % Self.cities.count] }
  private var age: Int { 18 + index % 60 }
  private var source: String { "campaign-\(index % 12)" }

  func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("name", name)
    writer.key("emails")
    writer.beginArray()
    writer.string(email)
    writer.endArray()
    writer.key("phones")
    writer.beginArray()
    writer.string(phone)
    writer.endArray()
    writer.key("tags")
    writer.beginArray()
    for tag in tags { writer.string(tag) }
    writer.endArray()
    writer.field("total_spend", totalSpend)
    writer.field("visits", visits)
    writer.field("last_order_at", lastOrderAt)
    writer.key("metadata")
    writer.beginObject()
    writer.field("city", city)
    writer.field("age", age)
    writer.field("source", source)
    writer.endObject()
    writer.endObject()
  }

  func write(to file: inout [UInt8]) {
    file += "\(name),\(email),\(phone),\(tags.joined(separator: ";")),\(totalSpend),\(visits),\(lastOrderAt),".utf8
    file += "\(city),\(age),\(source)\r\n".utf8
  }
}
