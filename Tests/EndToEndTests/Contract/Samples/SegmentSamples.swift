import JSON

extension Sample {
  static let segments: [Sample] = [
    Sample("listSegments", [200: { _ in Call() }]),
    Sample("createSegment", [201: { Call(body: $0.segmentInput()) }]),
    Sample("getSegment", [200: { Call(ids: [try await $0.newSegment()]) }]),
    Sample(
      "replaceSegment",
      [
        200: { Call(ids: [try await $0.newSegment()], body: $0.segmentInput()) },
        422: { Call(ids: [try await $0.newSegment()], body: ["name": "Nobody", "rule_ast": unknownSegment]) },
      ]),
    Sample(
      "deleteSegment",
      [
        200: { Call(ids: [try await $0.newSegment()]) },
        409: { stage in
          let segment = try await stage.newSegment()
          _ = try await stage.newCampaign(segment: segment)
          return Call(ids: [segment])
        },
      ]),
    Sample("duplicateSegment", [201: { Call(ids: [try await $0.newSegment()]) }]),
    Sample(
      "previewSegment",
      [200: { Call(body: ["rule_ast": $0.rule]) }, 422: { _ in Call(body: ["rule_ast": unknownSegment]) }]),
    Sample(
      "explainRule",
      [200: { Call(body: ["rule_ast": $0.rule]) }, 422: { _ in Call(body: ["rule_ast": unknownSegment]) }]),
    Sample(
      "evaluateRule",
      [
        200: { Call(body: ["rule_ast": $0.rule, "lead_id": .string(try await $0.lead().id)]) },
        422: { Call(body: ["rule_ast": $0.rule, "lead_id": .string(ContractStage.unknownID)]) },
      ]),
    Sample(
      "convertRule",
      [
        200: { _ in Call(body: ["query": query(operator: ">")]) },
        422: { _ in Call(body: ["query": query(operator: "resembles")]) },
      ]),
  ]

  private static let unknownSegment: JSONValue = ["type": "segment", "segment_id": .string(ContractStage.unknownID)]

  private static func query(operator name: String) -> JSONValue {
    ["combinator": "and", "rules": [["field": "total_spend", "operator": .string(name), "value": "100"]]]
  }
}
