import JSON

/// What sets campaigns going and stops them.
extension Sample {
  static let runs: [Sample] = [
    Sample(
      "runCampaign",
      [
        202: { Call(ids: [try await $0.newCampaign()]) },
        409: { Call(ids: [try await $0.finishedCampaign().id]) },
      ]),
    Sample(
      "confirmCampaign",
      [
        202: { Call(ids: [try await $0.lateCampaign()]) },
        409: { Call(ids: [try await $0.newCampaign()]) },
      ]),
    Sample(
      "setCampaignStatus",
      [
        200: { Call(ids: [try await $0.scheduledCampaign()], body: ["status": "CANCELLED"]) },
        409: { Call(ids: [try await $0.newCampaign()], body: ["status": "COMPLETED"]) },
        422: { Call(ids: [try await $0.overdueDraft()], body: ["status": "SCHEDULED"]) },
      ]),
    Sample(
      "pauseCampaign",
      [
        200: { Call(ids: [try await $0.runningCampaign()]) },
        409: { Call(ids: [try await $0.newCampaign()]) },
      ]),
    Sample(
      "resumeCampaign",
      [
        200: { stage in
          let campaign = try await stage.runningCampaign()
          try await stage.succeed(.post, "/api/v1/campaigns/\(campaign)/pause")
          return Call(ids: [campaign])
        },
        409: { Call(ids: [try await $0.finishedCampaign().id]) },
      ]),
    Sample(
      "cancelCampaign",
      [
        200: { Call(ids: [try await $0.runningCampaign()]) },
        409: { Call(ids: [try await $0.finishedCampaign().id]) },
      ]),
  ]

  static let audiences: [Sample] = [
    Sample("listAudience", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
    Sample(
      "explainAudienceMember",
      [
        200: { stage in
          let campaign = try await stage.finishedCampaign()
          return Call(ids: [campaign.id, campaign.lead])
        }
      ]),
    Sample("verifyAudience", [200: { Call(ids: [try await $0.finishedCampaign().id]) }]),
  ]
}
