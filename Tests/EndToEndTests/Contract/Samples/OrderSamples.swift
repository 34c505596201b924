import JSON

extension Sample {
  static let orders: [Sample] = [
    Sample("listOrders", [200: { _ in Call(query: "sort_by=amount") }]),
    Sample(
      "createOrder",
      [
        200: { stage in
          let order = stage.orderInput(email: try await stage.lead().email)
          try await stage.succeed(.post, "/api/v1/orders", order)
          return Call(body: order)
        },
        201: { Call(body: $0.orderInput(email: try await $0.lead().email)) },
        409: { stage in
          let number = stage.unique("order")
          let order = stage.orderInput(email: try await stage.newLead().email, number: number)
          try await stage.succeed(.post, "/api/v1/orders", order)
          return Call(body: stage.orderInput(email: try await stage.lead().email, number: number))
        },
      ]),
    Sample(
      "bulkUpsertOrders",
      [
        200: { Call(body: ["orders": [$0.orderInput(email: try await $0.lead().email)]]) },
        202: { Call(query: "mode=async", body: ["orders": [$0.orderInput(email: try await $0.lead().email)]]) },
      ]),
    Sample(
      "getOrder",
      [
        200: { stage in
          let order = stage.orderInput(email: try await stage.lead().email)
          return Call(ids: [try await stage.succeed(.post, "/api/v1/orders", order).id])
        }
      ]),
  ]
}
