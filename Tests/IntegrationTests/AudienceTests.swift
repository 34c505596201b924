import BSON
import CRMCore
import CivilTime
import Foundation
import JSON
import Mongo
import Runtime
import Testing

@testable import CRMStore

/// Whatever way the store takes to a rule's leads, it finds those whom the evaluator accepts.
///
/// `RULES_SEED` repeats a run, `RULES_CASES` sets how many rules meet how many leads (rule–lead pairs).
@Suite struct AudienceTests {
  private static func setting(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
  }

  private static let seed = setting("RULES_SEED") ?? UInt64.random(in: 0...UInt64.max)
  /// Each pair is asked in several ways, and most of them take many round trips.
  private static let cases = Int(setting("RULES_CASES") ?? 24_000) / 12

  /// Leads with their orders and messages, in a database without validators: rules meet every kind of value.
  private struct World {
    var leads: [ObjectID: BSONDocument] = [:]
    var documents: [String: [ObjectID: [BSONDocument]]] = [Collections.orders: [:], Collections.communicationLogs: [:]]

    init(_ generator: inout RuleGenerator, leads count: Int) {
      for index in 0..<count {
        let id = ObjectID(hex: "65f10000000000000000" + String(format: "%04x", 0x1000 + index)) ?? ObjectID()
        var lead = generator.lead(id: 0)
        lead["_id"] = .objectID(id)
        leads[id] = lead
        for (collection, make) in [
          (Collections.orders, { $0.order() }), (Collections.communicationLogs, { $0.message() }),
        ]
          as [(String, (inout RuleGenerator) -> BSONDocument)]
        {
          documents[collection]?[id] = (0..<generator.pick([0, 0, 1, 2, 4, 10])).map { _ in
            var document = make(&generator)
            document.append("lead_id", id)
            return document
          }
        }
        if let totals = Self.totals(documents[Collections.orders]?[id] ?? []) {
          leads[id]?["order_totals"] = .document(totals)
        }
      }
    }

    private static func totals(_ orders: [BSONDocument]) -> BSONDocument? {
      let amounts = orders.compactMap { $0["amount"]?.doubleValue }
      let dates = orders.compactMap { $0["ordered_at"]?.dateMilliseconds }
      guard let first = dates.min() else { return nil }
      let sum = amounts.reduce(0, +)
      var totals: BSONDocument = [
        "count": .int64(Int64(orders.count)), "sum": .double(sum), "average": .double(sum / Double(orders.count)),
        "first": .date(milliseconds: first),
      ]
      for (key, date) in zip(Order.dateKeys, dates.sorted(by: >)) { totals.appendDate(key, milliseconds: date) }
      return totals
    }

    var lastOrder: Timestamp {
      let dates = documents[Collections.orders]?.values.joined().compactMap { $0["ordered_at"]?.dateMilliseconds }
      return Timestamp(milliseconds: dates?.max() ?? 0)
    }

    func hasOrders(after time: Timestamp) -> Bool { lastOrder > time }

    func store(_ mongo: MongoClient) async throws {
      let world = self
      try await mongo.withConnection { connection in
        for (collection, documents) in world.documents.mapValues({ $0.values.flatMap { $0 } })
          .merging([Collections.leads: Array(world.leads.values)], uniquingKeysWith: { first, _ in first })
        {
          _ = try connection.deleteMany(collection, [:])
          if !documents.isEmpty { try connection.insertMany(collection, documents).throwIfFailed() }
        }
      }
    }

    func found(by rule: CompiledRule) -> [ObjectID] {
      leads.filter { id, lead in
        rule.decide(lead) { documents[$0.collection]?[id] ?? [] }.matches
      }.keys.sorted()
    }
  }

  private static let sizes: [(name: String, AudienceSlices.Sizes)] = [
    ("stretch by stretch", .init(stretch: 7, fewDocuments: -1, mostDocuments: -1)), ("at once", .init(stretch: 1)),
    ("from memory", .init(stretch: 7, idsInFilter: 1)), ("in one stretch", .init()),
  ]

  @Test func everyWayToAnAudienceFindsWhomTheEvaluatorAccepts() async throws {
    var generator = RuleGenerator(seed: Self.seed &+ 2)
    let mongo = try await TestServers.shared.mongo()
    var pairs = 0
    var asked = 0
    var spared = 0
    while pairs < Self.cases {
      generator.renewVocabulary()
      let world = World(&generator, leads: 40)
      try await world.store(mongo)
      for number in 0..<10 {
        let json = number < 3 ? Self.recentOrders(&generator) : generator.rule(depth: 3, behaviours: true)
        let (now, zone) = (number.isMultiple(of: 2) ? world.lastOrder : generator.now(), generator.zone())
        guard let asking = try Self.compiled(json, now, zone) else { continue }
        let wanted = world.found(by: asking)
        asked += asking.behaviours.isEmpty ? 0 : 1
        // The same rule with what the leads' totals spare it.
        let rules = [
          asking, try Self.compiled(json, now, zone, hasOrderTotals: true) ?? asking,
          try Self.compiled(json, now, zone, hasOrderTotals: true, hasLaterOrders: world.hasOrders(after: now))
            ?? asking,
        ]
        for rule in rules[1...] {
          #expect(world.found(by: rule) == wanted, "RULES_SEED=\(Self.seed) now \(now): \(json.encodedString())")
        }
        spared += rules[2].behaviours.count < rules[1].behaviours.count ? 1 : 0
        for (index, (name, sizes)) in Self.sizes.enumerated() {
          let rule = rules[(pairs / world.leads.count + index) % rules.count]
          var store = Store(mongo: mongo, clock: SystemClock())
          store.audienceSizes = sizes
          let context = Comment(
            "\(name), RULES_SEED=\(Self.seed) now \(now) in \(zone.identifier): \(json.encodedString())")
          #expect(try await store.countLeads(rule, timeoutMS: 60_000) == wanted.count, context)
          var walk = store.walk(
            rule, after: nil, upTo: ObjectID(hex: String(repeating: "f", count: 24))!, timeoutMS: 60_000)
          var walked: [ObjectID] = []
          while case let page = try await walk.next(limit: 3), !page.isEmpty { walked += page }
          #expect(walked == wanted, context)
        }
        pairs += world.leads.count
      }
    }
    #expect(asked > 0, "some of the rules ask about orders and messages")
    #expect(spared > 0 || pairs < 2_000, "some of the questions are spared by the last order of the lead")
    await mongo.close()
  }

  /// What people ask most: whether somebody ordered of late.
  private static func recentOrders(_ generator: inout RuleGenerator) -> JSONValue {
    let span = generator.pick(["1 day", "30 days", "3 months", "1 year", "5 years"])
    let condition: JSONValue = [
      "type": "orders", "measure": "count", "operator": .string(generator.pick(["=", "!=", ">", "<", ">=", "<="])),
      "value": .int(Int64(generator.below(11))), "within": .string(span),
    ]
    let other = generator.rule(depth: 1, behaviours: true)
    return generator.pick([
      condition, ["op": "NOT", "children": [condition]], ["op": "AND", "children": [condition, other]],
      ["op": "OR", "children": [other, condition]],
    ])
  }

  /// Nil for a range that is the wrong way round at this moment. Segments that random rules name are all the same one.
  private static func compiled(
    _ json: JSONValue, _ now: Timestamp, _ zone: CalendarZone, hasOrderTotals: Bool = false, hasLaterOrders: Bool = true
  ) throws -> CompiledRule? {
    let segment = try Rule.decode([
      "op": "OR",
      "children": [
        ["type": "condition", "field": "visits", "operator": ">", "value": 1],
        ["type": "orders", "measure": "count", "operator": "=", "value": 1],
      ],
    ])
    do {
      return try Rule.decode(json).compiled(
        now: now, zone: zone, hasOrderTotals: hasOrderTotals, hasLaterOrders: hasLaterOrders
      ) { _ in (segment, .utc) }
    } catch {
      guard error.errors.allSatisfy({ $0.code == .invertedRange }) else { throw error }
      return nil
    }
  }

  // MARK: Lists and previews

  /// A store that takes three leads at a time, with twenty leads; each second one has an order of the last week.
  static func store() async throws -> Store {
    var store = try await TestServers.shared.store()
    store.audienceSizes = .init(stretch: 3, fewDocuments: -1, mostDocuments: -1)
    let rows = (0..<20).map { number in
      LeadInput(name: "L\(number)", emails: ["l\(number)@x.com"], totalSpend: Double(number * 7 % 10))
    }
    _ = try await store.upsertLeads(rows)
    let orders = stride(from: 0, to: 20, by: 2).map { number in
      OrderInput(orderNo: "\(number)", lead: .email("l\(number)@x.com"), total: 0, currency: "USD", orderedAt: day)
    }
    _ = try await store.applyOrders(orders)
    return store
  }

  private static let day = Timestamp(milliseconds: 1_774_953_000_000)

  /// A condition that only the orders can answer.
  private static let ordered: JSONValue = [
    "type": "orders", "measure": "count", "operator": ">=", "value": 1, "within": "7 days",
    "where": ["type": "condition", "field": "total", "operator": ">=", "value": 0],
  ]

  static func buyers(_ store: Store, _ more: JSONValue...) async throws -> CompiledRule {
    let rule = try Rule.decode(["op": "AND", "children": .array([ordered] + more)])
    return try await store.compile(ZonedRule(rule: rule, zone: .utc), now: day)
  }

  @Test(arguments: [("name", true), ("total_spend", false), ("last_order_at", true), ("created_at", false)])
  func aListOfASegmentIsTheSameInStretchesAndAsAWhole(field: String, ascending: Bool) async throws {
    let stretched = try await Self.store()
    var whole = stretched
    whole.audienceSizes = .init()
    let rule = try await Self.buyers(stretched)
    for search in [nil, "l1"] {
      func page(_ store: Store, _ start: PageStart) async throws -> ListPage<Lead> {
        var query = LeadQuery(order: ListOrder(field: field, ascending: ascending), start: start, limit: 4)
        query.search = search
        query.timeoutMS = 60_000
        query.segment = rule
        return try await store.leads(query)
      }
      for number in 1...4 {
        let (a, b) = (try await page(stretched, .page(number)), try await page(whole, .page(number)))
        #expect(a.elements == b.elements && a.total == b.total && a.next == b.next, "page \(number)")
      }
      var (seen, next) = ([Lead](), try await page(stretched, .page(1)))
      seen += next.elements
      while let cursor = next.next {
        next = try await page(stretched, .after(cursor))
        seen += next.elements
      }
      #expect(seen.count == next.total && Set(seen.map(\.id)).count == seen.count)
    }
  }

  @Test func aPageFarDownASegmentThatIsReadInStretchesIsRefused() async throws {
    let store = try await Self.store()
    var query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1001), limit: 10)
    query.segment = try await Self.buyers(store)
    let asked = query
    await #expect(throws: StoreError.self) { try await store.leads(asked) }
  }

  @Test func aPreviewInStretchesShowsTheFirstLeads() async throws {
    let store = try await Self.store()
    let preview = try await store.preview(try await Self.buyers(store), sample: 4, timeoutMS: 60_000)
    #expect(preview.count == 10)
    #expect(preview.sample.map(\.name) == ["L0", "L2", "L4", "L6"])
  }

  @Test func anExplanationAddsUpTheStretches() async throws {
    let store = try await Self.store()
    let rule = try Rule.decode([
      "op": "OR",
      "children": [
        Self.ordered, ["type": "condition", "field": "name", "operator": "=", "value": "L1"],
      ],
    ])
    let report = try await store.explain(ZonedRule(rule: rule, zone: .utc), now: Self.day, timeoutMS: 60_000)
    #expect(report.count == 11)
    #expect(report.parts.map(\.count) == [10, 1])
    #expect(report.parts.map(\.runningCount) == [10, 11])
    // Of the twenty leads, eleven have ordered or the name.
    #expect(report.stretches == 4)
    #expect(report.questions.map(\.path) == ["rule_ast.children[0]"])
  }

  @Test func theOperationsOfOneQuestionShareItsTime() async throws {
    let spent = TimeAllowance(milliseconds: 0)
    let error = #expect(throws: MongoError.self) { try spent.remaining() }
    #expect(error?.kind == .timeout)
    #expect(try TimeAllowance(milliseconds: 60_000).remaining() > 50_000)
  }
}
