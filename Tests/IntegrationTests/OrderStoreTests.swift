import BSON
import CRMCore
import CRMStore
import CivilTime
import Mongo
import Testing

@Suite struct OrderStoreTests {
  private static func day(_ number: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_767_225_600_000 + number * 86_400_000)
  }

  private static func order(
    _ number: String, _ email: String = "a@x.com", total: Double = 10, day: Int64 = 0
  ) -> OrderInput {
    OrderInput(orderNo: number, lead: .email(email), total: total, currency: "USD", orderedAt: self.day(day))
  }

  /// A store with leads of these e-mails.
  private static func store(_ emails: [String] = ["a@x.com"], latest: Timestamp? = nil) async throws -> Store {
    let store = try await TestServers.shared.store()
    let rows = emails.map { LeadInput(name: $0, emails: [$0], totalSpend: 100, lastOrderAt: latest) }
    _ = try await store.upsertLeads(rows)
    return store
  }

  private static func lead(_ store: Store, _ email: String = "a@x.com") async throws -> Lead {
    var query = LeadQuery(order: ListOrder(field: "name", ascending: true), start: .page(1), limit: 1)
    query.search = email
    return try #require(try await store.leads(query).elements.first)
  }

  @Test func anOrderMovesItsLeadsTotalsOnceHoweverOftenItComes() async throws {
    let store = try await Self.store()
    #expect(try await store.applyOrders([Self.order("1", day: 3)]) == [.inserted])
    #expect(try await store.applyOrders([Self.order("1", day: 3)]) == [.unchanged])
    let lead = try await Self.lead(store)
    #expect(lead.totalSpend == 110)
    #expect(lead.visits == 1)
    #expect(lead.lastOrderAt == Self.day(3))
  }

  @Test func aCorrectionMovesTheTotalsByTheDifference() async throws {
    let store = try await Self.store()
    _ = try await store.applyOrders([Self.order("1", total: 10, day: 5), Self.order("2", total: 1, day: 2)])
    #expect(try await store.applyOrders([Self.order("1", total: 4, day: 1)]) == [.modified])
    let lead = try await Self.lead(store)
    #expect(lead.totalSpend == 105)
    #expect(lead.visits == 2)
    #expect(lead.lastOrderAt == Self.day(2))
    #expect(try await store.order(number: "1").total == 4)
  }

  @Test func anOpeningDateLaterThanAnyOrderStays() async throws {
    let store = try await Self.store(latest: Self.day(30))
    _ = try await store.applyOrders([Self.order("1", day: 5)])
    _ = try await store.applyOrders([Self.order("1", day: 1)])
    #expect(try await Self.lead(store).lastOrderAt == Self.day(30))
  }

  @Test func rowsAboutOneOrderInOneCallCountInTheirOrder() async throws {
    let store = try await Self.store()
    let outcomes = try await store.applyOrders([
      Self.order("1", total: 10), Self.order("1", total: 30), Self.order("1", total: 30),
    ])
    #expect(outcomes == [.inserted, .modified, .unchanged])
    let lead = try await Self.lead(store)
    #expect(lead.totalSpend == 130)
    #expect(lead.visits == 1)
  }

  @Test func unknownLeadsAndForeignNumbersAreRejectedAndTheRestIsStored() async throws {
    let store = try await Self.store(["a@x.com", "b@x.com"])
    _ = try await store.applyOrders([Self.order("1")])
    let outcomes = try await store.applyOrders([
      Self.order("1", "b@x.com"), Self.order("2", "nobody@x.com"), Self.order("3"),
    ])
    func code(_ outcome: RowOutcome) -> String? {
      if case .rejected(let errors) = outcome { errors.first?.code } else { nil }
    }
    #expect(outcomes.map(code) == ["foreign_order", "unknown_lead", nil])
    #expect(try await Self.lead(store, "b@x.com").totalSpend == 100)
    #expect(try await Self.lead(store).visits == 2)
  }

  @Test func theSameOrdersSentByManyAtOnceCountOnce() async throws {
    let emails = (0..<20).map { "lead\($0)@x.com" }
    let store = try await Self.store(emails)
    let orders = (0..<400).map { Self.order("n\($0)", emails[$0 % 20], total: 1.1, day: Int64($0 % 9)) }
    let inserted = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask { try await store.applyOrders(orders.shuffled()).count { $0 == .inserted } }
      }
      return try await group.reduce(0, +)
    }
    #expect(inserted == 400)
    for email in emails {
      let lead = try await Self.lead(store, email)
      #expect(lead.totalSpend == 122)
      #expect(lead.visits == 20)
    }
  }

  @Test func manySmallAmountsDoNotDrift() async throws {
    let store = try await Self.store()
    for start in stride(from: 0, to: 1000, by: 100) {
      _ = try await store.applyOrders((start..<start + 100).map { Self.order("n\($0)", total: 0.1) })
    }
    #expect(try await Self.lead(store).totalSpend == 200)
  }

  @Test func ordersAreListedNewestFirstAndByLead() async throws {
    let store = try await Self.store(["a@x.com", "b@x.com"])
    _ = try await store.applyOrders([
      Self.order("1", day: 1), Self.order("2", day: 3), Self.order("3", "b@x.com", day: 2),
    ])
    var query = OrderQuery(order: ListOrder(field: "ordered_at", ascending: false), start: .page(1), limit: 10)
    #expect(try await store.orders(query).elements.map(\.orderNo) == ["2", "3", "1"])
    query.leadID = try await Self.lead(store, "b@x.com").id
    #expect(try await store.orders(query).elements.map(\.orderNo) == ["3"])
    await #expect(throws: StoreError.self) { try await store.order(ObjectID()) }
  }
}
