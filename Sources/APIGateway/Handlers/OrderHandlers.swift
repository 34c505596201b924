import CRMCore
import CRMStore
import HTTP
import JSON

/// `/api/v1/orders`
struct OrderHandlers: Sendable {
  private let gateway: Gateway
  private let lane = OrderLane()

  init(gateway: Gateway) { self.gateway = gateway }

  var routes: [Route] {
    [
      Route(.get, "/api/v1/orders", "listOrders", operation: .listOrders, access: .scope(.leadsRead), list),
      Route(
        .post, "/api/v1/orders", "createOrder", operation: .createOrder, access: .scope(.leadsWrite),
        effect: .change(.order),
        body: .json(limit: Route.ordinaryLimit), idempotent: true, create),
      Route(
        .post, "/api/v1/orders/bulk", "bulkUpsertOrders", operation: .bulkUpsertOrders, access: .scope(.leadsWrite),
        effect: .bulk(.order),
        body: .json(limit: Route.bulkLimit), idempotent: true,
        bulk.handle),
      Route(.get, "/api/v1/orders/:id", "getOrder", operation: .getOrder, access: .scope(.leadsRead), show),
    ]
  }

  private var bulk: BulkHandler<OrderInput> {
    let currency = gateway.baseCurrency
    let store = gateway.store
    let lane = self.lane
    return BulkHandler(
      bulk: BulkRequest(
        kind: .orders, member: "orders",
        decode: { OrderInput.decode($0, path: $1, baseCurrency: currency) },
        store: { try await lane.apply($0, to: store) }),
      recordKind: .order, store: gateway.store, producer: gateway.producer)
  }

  enum SortField: String, CaseIterable {
    case orderedAt = "ordered_at"
    case amount
    case createdAt = "created_at"
  }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(
      sortedBy: SortField.self, fallback: ListOrder(field: "ordered_at", ascending: false), field: \.rawValue)
    var query = OrderQuery(order: page.order, start: page.start, limit: page.limit)
    query.leadID = reader.objectID("lead_id")
    query.email = reader.email("email")
    query.from = reader.timestamp("from")
    query.to = reader.timestamp("to")
    query.search = reader.text("search", length: 0...100).flatMap { $0.isEmpty ? nil : $0 }
    try reader.finish()
    return .page(try await gateway.store.orders(query), page) { order, writer in order.write(to: &writer) }
  }

  /// 201 for a new order, 200 for one that is known, corrected or not.
  @Sendable private func create(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let input = try OrderInput.decode(try request.json(), baseCurrency: gateway.baseCurrency).get()
    let outcome = try await gateway.store.applyOrders([input]).first ?? .unchanged
    if case .rejected(let errors) = outcome { throw OrderHandlers.problem(errors) }
    let order = try await gateway.store.order(number: input.orderNo)
    if case .inserted = outcome { return .created(order, at: "/api/v1/orders/\(order.id.hex)") }
    return .data(order)
  }

  private static func problem(_ errors: [FieldError]) -> Problem {
    if let foreign = errors.first(where: { $0.code == "foreign_order" }) {
      return Problem(.conflict, "The order_no is an order of another lead.", errors: [foreign])
    }
    return Problem(.unknownReference, "The order names a lead that does not exist.", errors: errors)
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.order(try request.objectID()))
  }
}
