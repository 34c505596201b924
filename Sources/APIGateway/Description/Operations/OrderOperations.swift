extension Operation {
  static let listOrders = Operation(
    "List orders",
    query: .paging(sortedBy: OrderHandlers.SortField.self) + .search("the order number", longest: 100) + [
      .init("lead_id", .objectID), .init("email", .email, "Of the lead"),
      .init("from", .timestamp, "Ordered then or later"), .init("to", .timestamp, "Ordered before"),
    ],
    answers: [.page(of: .order)])

  static let createOrder = Operation(
    "Record an order, or correct one",
    """
    The same `order_no` with the same content changes nothing; other content is a correction, and the lead's totals \
    move by the difference. An `order_no` that is another lead's is a conflict.
    """,
    body: .json(.orderInput), answers: [.data(.order, "Known already"), .created(.order)],
    problems: [.conflict, .unknownReference, .impossibleTotal])

  static let bulkUpsertOrders = Operation(
    "Import many orders",
    "Good rows are stored, bad ones are reported. With `mode=async` the rows are handed to Kafka.",
    query: .bulkMode, body: .json(.rows("orders", of: .orderInput)), answers: .bulk)

  static let getOrder = Operation("Show an order", answers: [.data(.order)])
}
