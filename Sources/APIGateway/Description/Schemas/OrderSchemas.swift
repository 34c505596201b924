import JSON

extension Schema {
  private static let orderItemInput = named(
    "OrderItem",
    closedObject([
      .required("sku", text(1...100)), .required("quantity", integer(in: 1...1_000_000_000)),
      .required("price", money.described("For one piece, in the order's currency")),
    ]))

  /// An order says by its id or by its e-mail address whose it is.
  static let orderInput = named(
    "OrderInput",
    oneOf([
      named("OrderByLeadID", closedObject([.required("lead_id", objectID)] + orderMembers)),
      named("OrderByEmail", closedObject([.required("email", email.described("Of the lead"))] + orderMembers)),
    ]))

  private static let orderMembers: [Member] = [
    .required("order_no", text(1...100).described("Makes the order idempotent: again is a correction")),
    .optional("items", array(of: orderItemInput, count: 0...1_000)), .required("total", money),
    .optional(
      "currency", string(3...3, pattern: "^[A-Za-z]{3}$").described("ISO 4217; the base currency if not given")),
    .optional(
      "total_base",
      money.described(
        "In the base currency: required for an order in another one, equal to `total` for one in the base currency")),
    .required("ordered_at", timestamp),
  ]

  static let order = named(
    "Order",
    object([
      .required("_id", objectID), .required("order_no", string), .required("lead_id", objectID),
      .required(
        "items",
        array(
          of: object([.required("sku", string), .required("quantity", integer), .required("price", number)]))),
      .required("total", number), .required("currency", string),
      .required("total_base", number.described("In the base currency")), .required("ordered_at", timestamp),
      .required("created_at", timestamp), .required("updated_at", timestamp),
    ]))
}
