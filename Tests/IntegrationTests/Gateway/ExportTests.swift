import BSON
import CRMCore
import CRMStore
import CSV
import CivilTime
import Crypto
import HTTP
import JSON
import Testing

@testable import APIGateway

/// A CSV as a client reads it.
struct CSVTable {
  private(set) var header: [String] = []
  private(set) var rows: [[String: String]] = []

  init(_ bytes: [UInt8]) throws {
    var reader = CSVReader()
    var offset = 0
    while try reader.next(bytes, from: &offset) { note(reader) }
    if try reader.finish() { note(reader) }
    header = reader.header ?? []
  }

  private mutating func note(_ reader: CSVReader) {
    let names = reader.header ?? []
    #expect(names.count == reader.fieldCount)
    rows.append(Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, reader.text($0) ?? "?") }))
  }
}

extension GatewayHarness {
  /// An answer with all that its stream brings.
  func download(_ target: String, as credential: String?) async throws -> (answer: Answer, bytes: [UInt8]) {
    var headers: HTTPHeaders = [:]
    if let credential { headers.add("Authorization", "Bearer \(credential)") }
    let response = try await respond(HTTPRequest(.get, target, headers: headers))
    var bytes = response.bytes ?? []
    if case .stream(_, let producer) = response.body { while let piece = try await producer() { bytes += piece } }
    return (Answer(status: response.status, headers: response.headers, bytes: bytes), bytes)
  }
}

/// Leads and campaigns as files.
@Suite(.serialized) struct ExportTests {
  private func insert(_ harness: GatewayHarness, _ leads: [Lead]) async throws {
    try await harness.store.mongo.withConnection { connection in
      try connection.insertMany(Collections.leads, leads.map { $0.bson() }).throwIfFailed()
    }
  }

  private func lead(_ number: Int, _ change: (inout Lead) -> Void = { _ in }) -> Lead {
    let now = Timestamp(milliseconds: 1_774_953_000_000)
    var lead = Lead(
      id: ObjectID(), name: "Lead \(number)", emails: ["lead\(number)@example.com"], createdAt: now, updatedAt: now)
    change(&lead)
    return lead
  }

  @Test func everyFieldHasItsColumn() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.analyst)
      try await insert(
        harness,
        [
          lead(1) { lead in
            lead.emails = ["a@example.com", "b@example.com"]
            lead.phones = ["+14155550123"]
            lead.tags = ["vip", "a;b"]
            lead.totalSpend = -1.5
            lead.visits = 3
            lead.optedOut = [.sms: Timestamp(milliseconds: 0)]
            lead.metadata = [
              "city": "Oslo", "age": 41, "ok": true, "pet": ["name": "Rex"], "list": ["x", 1], "none": "",
            ]
          },
          lead(2) { $0.metadata = ["city": 7] },
        ])
      let (answer, bytes) = try await harness.download("/api/v1/leads/export", as: key)
      #expect(answer.status == 200 && answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present")
      #expect(answer.headers["Content-Disposition"] == #"attachment; filename="leads.csv""#)
      let table = try CSVTable(bytes)
      #expect(
        table.header == [
          "_id", "name", "emails", "phones", "tags", "total_spend", "visits", "last_order_at", "opted_out.whatsapp",
          "opted_out.sms", "opted_out.email", "created_at", "updated_at", "metadata.age:number", "metadata.city",
          "metadata.ok:boolean", "metadata.pet.name", "metadata:json",
        ])
      let first = table.rows[0]
      #expect(first["emails"] == "a@example.com;b@example.com" && first["phones"] == "+14155550123")
      #expect(first["tags"] == #"vip;a\;b"# && first["total_spend"] == "-1.5" && first["visits"] == "3")
      #expect(first["opted_out.sms"] == "1970-01-01T00:00:00.000Z" && first["last_order_at"] == "")
      #expect(first["metadata.age:number"] == "41" && first["metadata.pet.name"] == "Rex")
      #expect(first["metadata:json"] == #"{"list":["x",1],"none":""}"#)
      #expect(table.rows[1]["metadata.city"] == "" && table.rows[1]["metadata:json"] == #"{"city":7}"#)
    }
  }

  @Test func whatCouldBeAFormulaIsGuarded() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.analyst)
      let names = ["=1+1", "+SUM(A1)", "-x", "@cmd", "'=x", "plain"]
      try await insert(
        harness,
        names.enumerated().map { number, name in
          lead(number) {
            $0.name = name
            $0.metadata = ["note": "=\(number)"]
          }
        })
      let table = try CSVTable(try await harness.download("/api/v1/leads/export", as: key).bytes)
      #expect(table.rows.map { $0["name"] } == ["'=1+1", "'+SUM(A1)", "'-x", "'@cmd", "''=x", "plain"])
      #expect(table.rows.allSatisfy { $0["metadata.note"]?.hasPrefix("'=") == true })
    }
  }

  @Test func anExportIsNarrowedLikeAListAndComesInPages() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      try await insert(
        harness,
        (0..<1201).map { number in
          lead(number) {
            $0.visits = Int64(number % 2)
            $0.tags = number == 7 ? ["vip"] : []
          }
        })
      let all = try CSVTable(try await harness.download("/api/v1/leads/export", as: key).bytes)
      #expect(all.rows.count == 1201 && Set(all.rows.map { $0["_id"] }).count == 1201)
      let tagged = try CSVTable(try await harness.download("/api/v1/leads/export?tag=vip", as: key).bytes)
      #expect(tagged.rows.map { $0["name"] } == ["Lead 7"])
      let rule: JSONValue = ["type": "condition", "field": "visits", "operator": "=", "value": 1]
      let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
      let id = try #require(segment.data["_id"]?.stringValue)
      let inSegment = try CSVTable(try await harness.download("/api/v1/leads/export?segment_id=\(id)", as: key).bytes)
      #expect(inSegment.rows.count == 600 && inSegment.rows.allSatisfy { $0["visits"] == "1" })
      let both = try CSVTable(
        try await harness.download("/api/v1/leads/export?segment_id=\(id)&tag=vip", as: key).bytes)
      #expect(both.rows.count == 1)
      let unknown = try await harness.download("/api/v1/leads/export?segment_id=0123456789abcdef01234567", as: key)
        .answer
      #expect(unknown.status == 422 && unknown.problem == "unknown-reference")
      #expect(try await harness.download("/api/v1/leads/export?colour=red", as: key).answer.fields == ["colour"])
    }
  }

  @Test func nothingToExportIsAHeader() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.analyst)
      let table = try CSVTable(try await harness.download("/api/v1/leads/export", as: key).bytes)
      #expect(table.rows.isEmpty && table.header.first == "_id")
    }
  }

  @Test func readingLeadsIsNotEnoughAndExportsAreEntered() async throws {
    try await GatewayHarness.with { harness in
      let reader = try await harness.key(.admin, scopes: [.leadsRead, .campaignsRead])
      #expect(try await harness.download("/api/v1/leads/export", as: reader).answer.status == 403)
      #expect(
        try await harness.download("/api/v1/campaigns/0123456789abcdef01234567/export", as: reader).answer.status == 403
      )
      #expect(
        try await harness.download("/api/v1/leads/export", as: try await harness.key(.viewer)).answer.status == 403)
      _ = try await harness.download("/api/v1/leads/export", as: try await harness.key(.analyst, name: "Ana"))
      let entry = try #require(try await harness.audit("&action=exportLeads").first)
      #expect(entry["actor_name"] == "Ana" && entry["resource"] == "lead" && entry["outcome"] == "succeeded")
    }
  }

  @Test func aCampaignsExportHasARowForEachSend() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let rule: JSONValue = ["type": "condition", "field": "visits", "operator": ">", "value": 1]
      let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
      let made = try await harness.request(
        .post, "/api/v1/campaigns",
        ["name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "x", "channel": "sms"], as: key)
      let campaign = try #require(made.data["_id"]?.stringValue.flatMap { ObjectID(hex: $0) }, "\(made.text)")
      let path = "/api/v1/campaigns/\(campaign.hex)/export"
      #expect(try CSVTable(try await harness.download(path, as: key).bytes).rows.isEmpty)
      let run = try await harness.store.launch(campaignID: campaign).run.id
      try await harness.store.mongo.withConnection { connection in
        for number in 0..<501 {
          var row: BSONDocument = [
            "_id": .uuid(UUIDBytes().bytes), "campaign_id": .objectID(campaign), "run_id": .uuid(run.bytes),
            "lead_id": .objectID(ObjectID()), "channel": "sms", "rank": 1, "attempt": 1,
          ]
          if number == 0 {
            row.append("status", "SKIPPED")
            row.append("error", ["class": "skipped", "message": "=has no address"])
            row.appendDate("skipped_at", milliseconds: 0)
          } else {
            row.append("status", "DELIVERED")
            row.append("vendor_message_id", "m-\(number)")
            row.append("to", "+15550000\(number)")
            row.appendDate("delivered_at", milliseconds: 1000)
          }
          try connection.insertOne(Collections.communicationLogs, row)
        }
      }
      let table = try CSVTable(try await harness.download(path, as: key).bytes)
      #expect(table.rows.count == 501)
      let skipped = try #require(table.rows.first { $0["status"] == "SKIPPED" })
      #expect(skipped["reason"] == "'=has no address" && skipped["skipped_at"] == "1970-01-01T00:00:00.000Z")
      let delivered = try #require(table.rows.first { $0["vendor_message_id"] == "m-7" })
      #expect(delivered["delivered_at"] == "1970-01-01T00:00:01.000Z" && delivered["to"] == "+155500007")
      #expect(try await harness.download("\(path)?run_id=\(run.string)", as: key).answer.status == 200)
      #expect(try await harness.download("\(path)?run_id=\(UUIDBytes().string)", as: key).answer.status == 404)
      let unknown = "/api/v1/campaigns/0123456789abcdef01234567/export"
      #expect(try await harness.download(unknown, as: key).answer.status == 404)
    }
  }

  @Test func theErrorsOfAJobAreAFile() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.viewer)
      let errors = (1...1500).map { row in
        JobRowError(row: Int64(row), field: "emails[0]", code: "invalid_email", message: "is not \"valid\", at all")
      }
      let job = try await harness.store.recordFinishedJob(
        .leads, JobCounts(received: 1500, processed: 1500, rejected: 1500), errors: errors)
      let (answer, bytes) = try await harness.download("/api/v1/jobs/\(job.id.hex)/errors", as: key)
      let table = try CSVTable(bytes)
      #expect(answer.status == 200 && table.header == ["row", "field", "code", "message"])
      #expect(table.rows.map { $0["row"] } == (1...1500).map { "\($0)" })
      #expect(
        table.rows[3] == ["row": "4", "field": "emails[0]", "code": "invalid_email", "message": errors[3].message])
      #expect(try await harness.download("/api/v1/jobs/0123456789abcdef01234567/errors", as: key).answer.status == 404)
    }
  }
}
