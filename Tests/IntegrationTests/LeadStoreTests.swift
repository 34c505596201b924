import BSON
import CRMCore
import CivilTime
import Mongo
import Runtime
import Testing

@testable import CRMStore

@Suite struct LeadStoreTests {
  private static func row(
    _ email: String, name: String = "Ann", more: [String] = [], spend: Double? = nil, tags: [String]? = nil,
    metadata: BSONDocument? = nil
  ) -> LeadInput {
    LeadInput(name: name, emails: [email] + more, tags: tags, totalSpend: spend, metadata: metadata)
  }

  private static func all(_ store: Store) async throws -> [Lead] {
    let query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1), limit: 100)
    return try await store.leads(query).elements
  }

  @Test func newLeadsAreInsertedAndRepeatingTheCallChangesNothing() async throws {
    let store = try await TestServers.shared.store()
    let rows = (0..<2500).map { Self.row("lead\($0)@example.com", name: "Lead \($0)") }
    #expect(try await store.upsertLeads(rows).allSatisfy { $0 == .inserted })
    #expect(try await store.upsertLeads(rows).allSatisfy { $0 == .unchanged })
    let count = try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) }
    #expect(count == 2500)
  }

  @Test func aFewKnownLeadsAmongManyNewOnesAreMerged() async throws {
    let store = try await TestServers.shared.store()
    let rows = (0..<1000).map { Self.row("lead\($0)@example.com", name: "Lead \($0)", more: ["also\($0)@example.com"]) }
    // Rows 0, 31, 62, … are the sample by which a batch is judged.
    let known = [1, 500, 998]
    _ = try await store.upsertLeads(known.map { Self.row("also\($0)@example.com", name: "Known") } + [rows[700]])
    _ = try await store.upsertLeads([Self.row("lead3@example.com"), Self.row("also3@example.com")])
    let outcomes = try await store.upsertLeads(rows)
    for (index, outcome) in outcomes.enumerated() {
      switch index {
      case 1, 500, 998: #expect(outcome == .modified, "row \(index)")
      case 700: #expect(outcome == .unchanged)
      case 3: #expect(outcome != .inserted && outcome != .modified && outcome != .unchanged)
      default: #expect(outcome == .inserted, "row \(index)")
      }
    }
    let (leads, renamed) = try await store.mongo.withConnection {
      (try $0.count(Collections.leads, [:]), try $0.count(Collections.leads, ["name": "Known"]))
    }
    #expect(leads == 1001)
    #expect(renamed == 0)
  }

  /// However many rows name one lead: it stays a document that MongoDB can hold, and the rows of others are stored.
  @Test func aLeadDoesNotGrowWithoutEnd() async throws {
    let store = try await TestServers.shared.store()
    let texts = BSONValue.array(Array(repeating: .string(String(repeating: "x", count: 1000)), count: 60))
    var rows: [LeadInput] = []
    for index in 0..<300 {
      rows.append(Self.row("one@example.com", metadata: ["key\(index)": texts]))
      rows.append(Self.row("two@example.com", more: (0..<40).map { "two\(index)-\($0)@example.com" }))
      rows.append(Self.row("other\(index)@example.com"))
    }
    let outcomes = try await store.upsertLeads(rows)
    func codes(_ outcome: RowOutcome) -> [String] {
      if case .rejected(let errors) = outcome { errors.map { "\($0.field) \($0.code)" } } else { [] }
    }
    for index in 0..<300 {
      #expect(codes(outcomes[3 * index]) == (index < 2 ? [] : ["metadata too_large"]), "row \(3 * index)")
      #expect(codes(outcomes[3 * index + 1]) == (index < 1 ? [] : ["emails too_many"]), "row \(3 * index + 1)")
      #expect(outcomes[3 * index + 2] == .inserted)
    }
    let leads = try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) }
    #expect(leads == 302)
  }

  @Test func aRowChangesOnlyWhatItGives() async throws {
    let store = try await TestServers.shared.store()
    let first = Self.row("a@x.com", spend: 10, tags: ["vip"], metadata: ["city": "Oslo", "age": 30])
    let second = LeadInput(name: "Ann", emails: ["a@x.com"], metadata: ["age": 31])
    _ = try await store.upsertLeads([first])
    #expect(try await store.upsertLeads([second]) == [.modified])
    let lead = try #require(try await Self.all(store).first)
    #expect(lead.totalSpend == 10)
    #expect(lead.tags == ["vip"])
    #expect(lead.metadata["city"]?.stringValue == "Oslo")
    #expect(lead.metadata["age"]?.int64Value == 31)
  }

  @Test func rowsThatNameOneLeadCountInTheirOrder() async throws {
    let store = try await TestServers.shared.store()
    let outcomes = try await store.upsertLeads([
      Self.row("a@x.com", name: "First"), Self.row("b@x.com", name: "Other"),
      Self.row("a@x.com", name: "Second", more: ["a2@x.com"]), Self.row("a2@x.com", name: "Third"),
    ])
    #expect(outcomes == [.inserted, .inserted, .modified, .modified])
    let leads = try await Self.all(store)
    #expect(leads.map(\.name) == ["Other", "Third"])
    #expect(leads.last?.emails == ["a@x.com", "a2@x.com"])
  }

  @Test func aRowWhoseEmailsBelongToTwoLeadsIsRejectedAndItsNeighboursAreStored() async throws {
    let store = try await TestServers.shared.store()
    _ = try await store.upsertLeads([Self.row("a@x.com"), Self.row("b@x.com")])
    let outcomes = try await store.upsertLeads([
      Self.row("a@x.com", name: "Both", more: ["b@x.com"]), Self.row("c@x.com"),
    ])
    guard case .rejected(let errors) = outcomes[0] else {
      Issue.record("the ambiguous row was \(outcomes[0])")
      return
    }
    #expect(errors.map(\.code) == ["ambiguous"])
    #expect(outcomes[1] == .inserted)
    #expect(try await Self.all(store).map(\.name) == ["Ann", "Ann", "Ann"])
  }

  @Test func writersThatInsertTheSameEmailsAtOnceMakeOneLeadEach() async throws {
    let store = try await TestServers.shared.store()
    let rows = (0..<200).map { Self.row("lead\($0)@example.com") }
    let inserted = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<6 {
        group.addTask { try await store.upsertLeads(rows).count { $0 == .inserted } }
      }
      return try await group.reduce(0, +)
    }
    #expect(inserted == 200)
    #expect(try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) } == 200)
  }

  @Test func writersThatChangeDifferentFieldsAtOnceKeepEachOthersWork() async throws {
    let store = try await TestServers.shared.store()
    _ = try await store.upsertLeads([Self.row("a@x.com")])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<12 {
        group.addTask {
          let row = LeadInput(name: "Ann", emails: ["a@x.com"], metadata: ["key\(number)": .int64(Int64(number))])
          _ = try await store.upsertLeads([row])
        }
      }
      try await group.waitForAll()
    }
    let lead = try #require(try await Self.all(store).first)
    #expect(lead.metadata.keys.count == 12)
  }

  @Test func creatingALeadWithATakenEmailIsAConflictAndRepeatingACreationIsNot() async throws {
    let store = try await TestServers.shared.store()
    let id = ObjectID()
    let lead = try await store.createLead(Self.row("a@x.com"), id: id)
    #expect(try await store.createLead(Self.row("a@x.com"), id: id) == lead)
    await #expect(throws: StoreError.self) { try await store.createLead(Self.row("a@x.com")) }
    #expect(try await store.lead(id) == lead)
    await #expect(throws: StoreError.self) { try await store.lead(ObjectID()) }
  }

  @Test(arguments: ["name", "total_spend", "last_order_at"], [true, false])
  func pagesByCursorShowEveryLeadOnceInTheOrderOfTheList(field: String, ascending: Bool) async throws {
    let store = try await TestServers.shared.store()
    var rows = (0..<25).map { number -> LeadInput in
      var row = Self.row("lead\(number)@x.com", name: "Name \(number % 4)", spend: Double(number % 3))
      if number % 3 == 0 { row.lastOrderAt = Timestamp(milliseconds: Int64(number % 2) * 1000) }
      return row
    }
    rows.shuffle()
    _ = try await store.upsertLeads(rows)
    let order = ListOrder(field: field, ascending: ascending)
    let whole = try await store.leads(LeadQuery(order: order, start: .page(1), limit: 100)).elements
    var paged: [Lead] = []
    var start = PageStart.page(1)
    while paged.count < 100 {
      let page = try await store.leads(LeadQuery(order: order, start: start, limit: 4))
      paged += page.elements
      #expect(page.total == 25)
      guard let next = page.next else { break }
      start = .after(next)
    }
    #expect(paged == whole)
    #expect(Set(paged.map(\.id)).count == 25)
  }

  @Test func searchTakesItsTextLiterally() async throws {
    let store = try await TestServers.shared.store()
    _ = try await store.upsertLeads([
      Self.row("a.b@x.com", name: "A+B (Oslo)"), Self.row("aXb@x.com", name: "AB"),
    ])
    func found(_ text: String) async throws -> [String] {
      var query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1), limit: 10)
      query.search = text
      return try await store.leads(query).elements.map(\.name)
    }
    #expect(try await found("a+b (oslo)") == ["A+B (Oslo)"])
    #expect(try await found("A.B@") == ["A+B (Oslo)"])
    #expect(try await found(".*") == [])
  }

  @Test func listsFilterBySpendAndTag() async throws {
    let store = try await TestServers.shared.store()
    _ = try await store.upsertLeads([
      Self.row("a@x.com", name: "A", spend: 5, tags: ["vip"]), Self.row("b@x.com", name: "B", spend: 50),
      Self.row("c@x.com", name: "C", spend: 500, tags: ["vip", "vipX"]),
    ])
    var query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1), limit: 10)
    query.minSpend = 50
    #expect(try await store.leads(query).elements.map(\.name) == ["B", "C"])
    query.maxSpend = 50
    #expect(try await store.leads(query).elements.map(\.name) == ["B"])
    query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1), limit: 10)
    query.tag = "vip"
    #expect(try await store.leads(query).elements.map(\.name) == ["A", "C"])
  }

  @Test func rowsThatShareAKeyComeIntoOneBatch() {
    let keys = (0..<40).map { ["k\($0)"] } + [["k3", "new"], ["new", "k17"]]
    let plan = RowBatches(rows: keys.count, size: 10) { keys[$0] }
    #expect(!plan.areDistinct)
    let batches = plan.batches
    #expect(batches.flatMap { $0 }.sorted() == Array(0..<42))
    #expect(batches.allSatisfy { $0 == $0.sorted() })
    let together = batches.first { $0.contains(3) }
    #expect(together?.contains(40) == true && together?.contains(41) == true && together?.contains(17) == true)
  }
}
