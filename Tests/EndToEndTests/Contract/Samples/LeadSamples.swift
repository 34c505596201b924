import HTTP
import JSON

extension Sample {
  static let leads: [Sample] = [
    Sample(
      "listLeads",
      [200: { _ in Call() }, 422: { _ in Call(query: "segment_id=\(ContractStage.unknownID)") }]),
    Sample(
      "createLead",
      [
        201: { Call(body: $0.leadInput()) },
        409: { Call(body: $0.leadInput(email: try await $0.lead().email)) },
      ]),
    Sample(
      "bulkUpsertLeads",
      [
        200: { Call(body: ["leads": [$0.leadInput()]]) },
        202: { Call(query: "mode=async", body: ["leads": [$0.leadInput()]]) },
      ]),
    Sample(
      "importLeads",
      [
        202: { Call(csv: $0.leadFile()) },
        422: { stage in
          let key = stage.unique("file")
          try await stage.importFile(stage.leadFile(), key: key)
          return Call(csv: stage.leadFile(), headers: ["Idempotency-Key": key])
        },
      ]),
    Sample("getLead", [200: { Call(ids: [try await $0.lead().id]) }]),
    Sample(
      "replaceLead",
      [
        200: { Call(ids: [try await $0.newLead().id], body: $0.leadInput()) },
        409: { Call(ids: [try await $0.newLead().id], body: $0.leadInput(email: try await $0.lead().email)) },
      ]),
    Sample(
      "patchLead",
      [
        200: { Call(ids: [try await $0.newLead().id], body: ["tags": ["vip"]], headers: mergePatch) },
        409: {
          Call(
            ids: [try await $0.newLead().id], body: ["emails": [.string(try await $0.lead().email)]],
            headers: mergePatch)
        },
      ]),
    Sample("deleteLead", [200: { Call(ids: [try await $0.newLead().id]) }]),
    Sample("getLeadTimeline", [200: { Call(ids: [try await $0.finishedCampaign().lead]) }]),
    Sample(
      "exportLeads", [200: { _ in Call() }, 422: { _ in Call(query: "segment_id=\(ContractStage.unknownID)") }]),
    Sample("getJob", [200: { Call(ids: [try await $0.job()]) }]),
    Sample("getJobErrors", [200: { Call(ids: [try await $0.job()]) }]),
  ]

  private static let mergePatch: HTTPHeaders = ["Content-Type": "application/merge-patch+json"]
}
