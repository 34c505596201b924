import BSON
import CRMCore
import CRMStore
import CivilTime
import HTTP
import JSON
import Testing

@testable import APIGateway
@testable import IngestWorker

/// `POST /api/v1/leads/import` through the router: what files are taken, and what is said of the others.
@Suite(.serialized) struct LeadImportTests {
  private static let path = "/api/v1/leads/import"

  private func send(
    _ harness: GatewayHarness, _ file: [UInt8], _ query: String = "", as key: String,
    type: String? = "text/csv", idempotencyKey: String? = nil
  ) async throws -> GatewayHarness.Answer {
    var headers: HTTPHeaders = ["Authorization": "Bearer \(key)"]
    if let type { headers.add("Content-Type", type) }
    if let idempotencyKey { headers.add("Idempotency-Key", idempotencyKey) }
    let response = await harness.respond(try HTTPRequest(.post, Self.path + query, headers: headers, body: file))
    return GatewayHarness.Answer(status: response.status, headers: response.headers, bytes: response.bytes ?? [])
  }

  private func send(
    _ harness: GatewayHarness, _ file: String, _ query: String = "", as key: String, idempotencyKey: String? = nil
  ) async throws -> GatewayHarness.Answer {
    try await send(harness, Array(file.utf8), query, as: key, idempotencyKey: idempotencyKey)
  }

  /// What a file makes of an empty database, without a broker.
  private func imported(
    _ file: [UInt8], maps: [String] = [], ignored: [String] = []
  ) async throws -> (store: Store, job: Job, errors: [JobRowError]) {
    let store = try await TestServers.shared.store()
    let topic = ImportTopic(store)
    let id = ObjectID()
    let body = AsyncThrowingStream<[UInt8], any Error> { continuation in
      for byte in file { continuation.yield([byte]) }
      continuation.finish()
    }
    var upload = LeadUpload(
      job: id, trace: .init(), mappings: maps, ignored: ignored, encoding: nil, store: store
    ) { try topic.send($0) }
    _ = try await upload.run(body)
    try await topic.work()
    return (store, try await store.job(id), try await store.jobErrors(id, limit: 100).errors)
  }

  private func leads(_ store: Store) async throws -> [Lead] {
    try await store.mongo.withConnection { connection in
      try connection.findAll(Collections.leads, [:], limit: 1000).map { try Lead(bson: $0) }
    }
  }

  @Test func aRowThatTheBrokerWouldRefuseIsAnErrorOfItsOwn() async throws {
    // JSON writes each of these letters with six bytes.
    let cell = String(repeating: "\u{1}", count: 60_000)
    let file = "name,emails,metadata.a,metadata.b\nAnn,ann@example.com,\(cell),\(cell)\nBea,bea@example.com,1,2\n"
    let (store, job, errors) = try await imported(Array(file.utf8))
    #expect(errors.map(\.row) == [1] && errors.first?.field == "row" && errors.first?.code == "too_long")
    #expect(job.state == .completed && job.counts.rejected == 1)
    #expect(try await leads(store).map(\.name) == ["Bea"])
  }

  @Test func aFileIsTakenAndItsJobTells() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let answer = try await send(harness, "name,emails\nAnn,a@example.com\nBea,b@example.com,x\n", as: key)
      #expect(answer.status == 202 && answer.data["received"] == 2, "\(answer.text)")
      let id = try #require(answer.data["jobId"]?.stringValue)
      let job = try await harness.request(.get, "/api/v1/jobs/\(id)", as: key)
      #expect(job.data["received"] == 2 && job.data["rejected"] == 1 && job.data["kind"] == "leads")
      let table = try CSVTable(try await harness.download("/api/v1/jobs/\(id)/errors", as: key).bytes)
      #expect(
        table.rows == [
          [
            "row": "2", "field": "row", "code": "wrong_field_count", "message": "has 3 fields, the header has 2",
          ]
        ])
      let entry = try #require(try await harness.audit("&action=importLeads").first)
      #expect(entry["resource"] == "lead" && entry["resource_id"]?.stringValue == id, "\(entry.encodedString())")
      #expect(entry["outcome"] == "succeeded" && entry["counts"]?["received"] == 2)
    }
  }

  @Test func everyUnknownColumnIsNamedWithTheKnownOnes() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let answer = try await send(harness, "name,emails,Colour,metadata.a b\nx,x@example.com,,\n", as: key)
      #expect(answer.status == 400 && answer.fields == ["Colour", "metadata.a b"], "\(answer.text)")
      #expect(answer.text.contains("known are _id, name, emails"))
      let job = try await harness.store.mongo.withConnection { try $0.count(Collections.jobs, [:]) }
      #expect(job == 0)
      let good = try await send(
        harness, "name,emails,Colour\nx,x@example.com,\n", "?ignore=Colour", as: key)
      #expect(good.status == 202, "\(good.text)")
    }
  }

  @Test(arguments: [
    ("", "header"), ("\n", "header"), ("\"name,emails\n", "header"), ("name\nx\n", "emails"), ("emails\nx\n", "name"),
    ("name,emails,name\n", "name"), ("name,emails,metadata.a,metadata.a\n", "metadata.a"),
    ("name,emails,visits,Visits\n", "Visits"), ("name,emails,\n", "header"),
  ])
  func aHeaderThatCannotBeIsRefused(file: String, field: String) async throws {
    try await GatewayHarness.with { harness in
      let answer = try await send(harness, file, as: try await harness.key(.marketer))
      #expect(answer.status == 400 && answer.fields.contains(field), "\(answer.text)")
    }
  }

  @Test(arguments: [
    ("?map=Mail", "map"), ("?map=None:emails", "map"), ("?map=Mail:colour", "map"), ("?ignore=None", "ignore"),
    ("?map=Mail:emails&map=Mail:name", "map"), ("?map=Mail:emails&ignore=Mail", "ignore"), ("?colour=1", "colour"),
  ])
  func mappingsAreChecked(query: String, field: String) async throws {
    try await GatewayHarness.with { harness in
      let answer = try await send(
        harness, "name,Mail\nx,x@example.com\n", query, as: try await harness.key(.marketer))
      #expect(answer.status == 400 && answer.fields.contains(field), "\(answer.text)")
    }
  }

  @Test(arguments: [nil, "application/json", "text/plain", "text/csv; charset=utf-16"])
  func otherTypesAreNotTaken(type: String?) async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let answer = try await send(harness, Array("name,emails\n".utf8), as: key, type: type)
      #expect(answer.status == 415 && answer.problem == "unsupported-media-type")
    }
  }

  @Test func readersMayNotImport() async throws {
    try await GatewayHarness.with { harness in
      let answer = try await send(harness, "name,emails\n", as: try await harness.key(.analyst))
      #expect(answer.status == 403 && answer.json["required_scope"] == "leads:write")
    }
  }

  @Test func aFileUnderAKeyIsTakenOnceAndAnotherIsRefused() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let file = "name,emails\nAnn,a@example.com\n"
      let first = try await send(harness, file, as: key, idempotencyKey: "k-1")
      let again = try await send(harness, file, as: key, idempotencyKey: "k-1")
      #expect(first.status == 202 && again.status == 202 && again.data["jobId"] == first.data["jobId"])
      #expect(first.headers["Idempotency-Replayed"] == nil && again.headers["Idempotency-Replayed"] == "true")
      for changed in [file + "Bea,b@example.com\n", "name,emails\nAnn,x@example.com\n", "name,emails\n"] {
        let refused = try await send(harness, changed, as: key, idempotencyKey: "k-1")
        #expect(refused.status == 422 && refused.problem == "idempotency-mismatch", "\(refused.text)")
      }
      let mapped = try await send(harness, file, "?map=name:name", as: key, idempotencyKey: "k-1")
      #expect(mapped.status == 422 && mapped.problem == "idempotency-mismatch")
      // Another caller's key is another key.
      let other = try await send(harness, file, as: try await harness.key(.marketer), idempotencyKey: "k-1")
      #expect(other.status == 202 && other.data["jobId"] != first.data["jobId"])
      let job = try await harness.request(.get, "/api/v1/jobs/\(first.data["jobId"]?.stringValue ?? "")", as: key)
      #expect(job.data["received"] == 1)
    }
  }

  @Test func aKeyOfARefusedHeaderIsFree() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      #expect(try await send(harness, "name,mail\n", as: key, idempotencyKey: "k").status == 400)
      #expect(try await send(harness, "name,emails\n", as: key, idempotencyKey: "k").status == 202)
    }
  }

  @Test func everyFieldIsReadFromItsColumn() async throws {
    let file = """
      name;E-mail: work;Second;phones;tags;total_spend;visits;last_order_at;opted_out.sms;metadata.city;metadata.age:number;\
      metadata.ok:boolean;metadata.pet.name;metadata:json;junk
      '=Ann;A@example.com;b@example.com;+14155550123;"vip; new\\;er ";12.5;3;2026-03-31T10:30:00Z;2026-01-01T00:00:00Z; Oslo ;41;TRUE;Rex;\
      "{""list"":[1,""x""],""city"":""Rome"",""pet"":{""kind"":""dog""}}";x

      """
    let (store, job, errors) = try await imported(
      Array(file.utf8), maps: ["E-mail: work:emails", "Second:emails"], ignored: ["junk"])
    #expect(job.counts == JobCounts(received: 1, processed: 1, inserted: 1) && errors.isEmpty, "\(errors)")
    let lead = try #require(try await leads(store).first)
    #expect(
      lead.name == "=Ann" && lead.emails == ["a@example.com", "b@example.com"] && lead.phones == ["+14155550123"])
    #expect(lead.tags == ["vip", "new;er"] && lead.totalSpend == 12.5 && lead.visits == 3)
    #expect(
      lead.lastOrderAt?.description == "2026-03-31T10:30:00.000Z" && lead.optedOut.keys.map(\.rawValue) == ["sms"])
    #expect(
      JSONValue.object(JSONObject(bson: lead.metadata))
        == ["list": [1, "x"], "city": " Oslo ", "pet": ["kind": "dog", "name": "Rex"], "age": 41, "ok": true])
  }

  @Test func whatIsWrongWithARowIsToldByRowFieldAndCode() async throws {
    let file = """
      name,emails,visits,metadata.age:number,metadata.ok:boolean,metadata.a,metadata.a.b,metadata:json
      ,a@example.com,,,,,,
      B,nobody,x,,,,,
      C,c@example.com,,old,maybe,,,
      D,d@example.com,,,,1,2,
      E,e@example.com,,,,,,[1]
      F,f"x@example.com,,,,,,
      G,g@example.com,7,,,,,

      """
    let (_, job, errors) = try await imported(Array(file.utf8))
    #expect(job.counts == JobCounts(received: 7, processed: 7, inserted: 1, rejected: 6))
    #expect(
      errors.map { "\($0.row) \($0.field) \($0.code)" } == [
        "1 name required", "2 emails[0] invalid_email", "2 visits invalid_type", "3 metadata.age:number invalid_type",
        "3 metadata.ok:boolean invalid_type", "4 metadata.a.b conflicting", "5 metadata:json invalid_type",
        "6 row stray_quote",
      ])
  }

  @Test func latin1IsRead() async throws {
    let file = Array("name;emails\nAnn;a@example.com\nJos".utf8) + [0xE9] + Array(";j@example.com\n".utf8)
    let (store, job, _) = try await imported(file)
    #expect(job.counts.inserted == 2)
    #expect(Set(try await leads(store).map(\.name)) == ["Ann", "José"])
  }

  @Test func laterRowsOfALeadAreMergedIntoIt() async throws {
    let file = "name,emails,tags\nAnn,a@example.com,x\nBea,b@example.com,\nAnna,A@example.com,y\n"
    let (store, job, _) = try await imported(Array(file.utf8))
    #expect(job.counts == JobCounts(received: 3, processed: 3, inserted: 2, modified: 1))
    #expect(Set(try await leads(store).map(\.name)) == ["Anna", "Bea"])
  }

  /// A file that was exported, imported into an empty database, is the same leads.
  @Test func anExportIsImportedAgainAsItWas() async throws {
    let nasty = ["=1+1", "'=x", "a;b", "a\\", "\"q\"", "x\r\ny", "-5", "+14155550123", "é€", "'", " s "]
    let now = Timestamp(milliseconds: 1_774_953_000_000)
    var original: [Lead] = []
    for (number, text) in nasty.enumerated() {
      var lead = Lead(
        id: ObjectID(), name: text == " s " ? "s" : text, emails: ["n\(number)@example.com", "m\(number)@example.com"],
        createdAt: now,
        updatedAt: now)
      lead.phones = number % 2 == 0 ? ["+1415555012\(number % 10)", "+491700000\(number)"] : []
      lead.tags = text == " s " ? [] : [text == "x\r\ny" ? "x y" : text, "t"]
      lead.totalSpend = Double(number) * 1.1
      lead.visits = Int64(number)
      lead.lastOrderAt = number % 3 == 0 ? now : nil
      lead.optedOut = number % 4 == 0 ? [.email: now] : [:]
      let mixed: BSONValue = number % 2 == 0 ? .int64(Int64(number)) : .string(text)
      lead.metadata = [
        "text": .string(text), "mixed": mixed, "double": .double(Double(number)), "ok": .bool(number % 2 == 0),
        "empty": "", "list": [.string(text), .int64(1), true], "deep": ["a": ["b": .string(text)], "n": .int64(-3)],
      ]
      original.append(lead)
    }
    let documents = original.map { $0.bson() }
    let source = try await TestServers.shared.store()
    try await source.mongo.withConnection { try $0.insertMany(Collections.leads, documents).throwIfFailed() }
    let query = LeadQuery(order: ListOrder(field: "_id", ascending: true), start: .page(1), limit: 1)
    var export = try await LeadExport(query, store: source)
    var file: [UInt8] = []
    while let piece = try await export.next() { file += piece }
    let (copy, job, errors) = try await imported(file)
    #expect(job.counts.inserted == Int64(original.count) && errors.isEmpty, "\(errors)")
    let found = Dictionary(uniqueKeysWithValues: try await leads(copy).map { ($0.emails[0], $0) })
    for lead in original {
      var same = try #require(found[lead.emails[0]])
      (same.id, same.createdAt, same.updatedAt) = (lead.id, lead.createdAt, lead.updatedAt)
      #expect(
        JSONValue.object(JSONObject(bson: same.metadata)) == JSONValue.object(JSONObject(bson: lead.metadata)))
      same.metadata = lead.metadata
      #expect(same == lead)
    }
  }
}
