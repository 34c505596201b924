import JSON

extension Sample {
  static let campaigns: [Sample] = [
    Sample("listCampaigns", [200: { _ in Call(query: "status=DRAFT") }]),
    Sample("createCampaign", [201: { Call(body: $0.campaignInput(segment: try await $0.newSegment())) }]),
    Sample("getCampaign", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample(
      "updateCampaign",
      [
        200: { Call(ids: [try await $0.newCampaign()], body: ["name": "Autumn"]) },
        409: { Call(ids: [try await $0.finishedCampaign().id], body: ["name": "Autumn"]) },
        422: { Call(ids: [try await $0.newCampaign()], body: ["segment_id": .string(ContractStage.unknownID)]) },
      ]),
    Sample(
      "deleteCampaign",
      [
        200: { Call(ids: [try await $0.newCampaign()]) },
        409: { Call(ids: [try await $0.scheduledCampaign()]) },
      ]),
    Sample("getCampaignStats", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample("listCampaignLogs", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample("previewCampaign", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample(
      "testSendCampaign",
      [
        202: { stage in
          let lead = try await stage.lead().id
          return Call(ids: [try await stage.newCampaign()], body: ["to": ["+14155550199"], "lead_id": .string(lead)])
        },
        422: { Call(ids: [try await $0.newCampaign()], body: ["to": ["ann@example.com"]]) },
      ]),
    Sample("listTestSends", [200: { Call(ids: [try await $0.newCampaign()]) }]),
    Sample("exportCampaign", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample(
      "followCampaign",
      [
        200: { Call(ids: [try await $0.finishedCampaign().id]) },
        204: { stage in
          let campaign = try await stage.finishedCampaign().id
          let events = try await stage.succeed(.get, "/api/v1/campaigns/\(campaign)/events")
          let id = try stage.lastEventID(of: events)
          return Call(ids: [campaign], headers: ["Last-Event-ID": id])
        },
      ]),
  ]
}
