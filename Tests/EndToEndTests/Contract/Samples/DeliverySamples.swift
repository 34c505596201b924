import JSON

extension Sample {
  static let deadLetters: [Sample] = [
    Sample("listDeadLetters", [200: { _ in Call(query: "topic=campaign.jobs") }]),
    Sample("getDeadLetter", [200: { Call(ids: [try await $0.deadLetter()]) }]),
    Sample(
      "replayDeadLetter",
      [
        200: { Call(ids: [try await $0.deadLetter()]) },
        409: { stage in
          let letter = try await stage.deadLetter()
          try await stage.succeed(.post, "/api/v1/dlq/\(letter)/discard")
          return Call(ids: [letter])
        },
      ]),
    Sample(
      "discardDeadLetter",
      [
        200: { Call(ids: [try await $0.deadLetter()]) },
        409: { stage in
          let letter = try await stage.deadLetter()
          try await stage.succeed(.post, "/api/v1/dlq/\(letter)/replay")
          return Call(ids: [letter])
        },
      ]),
    Sample("replayDeadLetters", [200: { _ in Call(body: ["topic": "nobody's"]) }]),
  ]

  static let deliveries: [Sample] = [
    Sample(
      "receiveReceipts",
      [
        202: { _ in Call(body: receipt) },
        409: { stage in
          // The same bytes under the same signature.
          let headers = try stage.signature(of: receipt)
          try await stage.succeed(.post, "/api/v1/delivery/receipt", receipt, headers: headers)
          return Call(body: receipt, headers: headers, credential: Call.Credential.none)
        },
      ]),
    Sample("getDeliveryStatus", [200: { _ in Call() }]),
  ]

  private static let receipt: JSONValue = [
    "send_id": "11111111-2222-5333-8444-555555555555", "vendor": "vendor-sim", "vendor_message_id": "m",
    "status": "DELIVERED", "timestamp": "2026-01-02T03:04:05Z",
  ]
}
