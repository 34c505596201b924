/// Who may use what, written down a second time and by hand: the routes say it once, and a mistake there must differ
/// from something.
enum AccessTable {
  enum Door: Sendable, Equatable {
    /// Anybody, without a credential.
    case open
    /// A vendor, by signature; no key and no token opens it.
    case signature
    /// Anybody with a credential.
    case anyone
    /// A role that is listed, and a key that has the scope.
    case scope(String, [ContractStage.Role])
  }

  static let scopes = [
    "leads:read", "leads:write", "leads:export", "segments:read", "segments:write", "campaigns:read",
    "campaigns:write", "campaigns:run", "status:read", "dlq:read", "dlq:replay", "keys:manage", "audit:read",
  ]

  private static let everybody: [ContractStage.Role] = [.admin, .marketer, .analyst, .viewer]
  private static let analysts: [ContractStage.Role] = [.admin, .marketer, .analyst]
  private static let marketers: [ContractStage.Role] = [.admin, .marketer]
  private static let admins: [ContractStage.Role] = [.admin]

  static let doors: [String: Door] = [
    "listLeads": .scope("leads:read", everybody),
    "getLead": .scope("leads:read", everybody),
    "getLeadTimeline": .scope("leads:read", everybody),
    "createLead": .scope("leads:write", marketers),
    "bulkUpsertLeads": .scope("leads:write", marketers),
    "importLeads": .scope("leads:write", marketers),
    "replaceLead": .scope("leads:write", marketers),
    "patchLead": .scope("leads:write", marketers),
    "deleteLead": .scope("leads:write", marketers),
    "exportLeads": .scope("leads:export", analysts),
    "getJob": .scope("leads:read", everybody),
    "getJobErrors": .scope("leads:read", everybody),

    "listOrders": .scope("leads:read", everybody),
    "getOrder": .scope("leads:read", everybody),
    "createOrder": .scope("leads:write", marketers),
    "bulkUpsertOrders": .scope("leads:write", marketers),

    "listSegments": .scope("segments:read", everybody),
    "getSegment": .scope("segments:read", everybody),
    "previewSegment": .scope("segments:read", everybody),
    "explainRule": .scope("segments:read", everybody),
    "evaluateRule": .scope("segments:read", everybody),
    "convertRule": .scope("segments:read", everybody),
    "createSegment": .scope("segments:write", analysts),
    "replaceSegment": .scope("segments:write", analysts),
    "deleteSegment": .scope("segments:write", analysts),
    "duplicateSegment": .scope("segments:write", analysts),

    "listCampaigns": .scope("campaigns:read", everybody),
    "getCampaign": .scope("campaigns:read", everybody),
    "getCampaignStats": .scope("campaigns:read", everybody),
    "listCampaignLogs": .scope("campaigns:read", everybody),
    "previewCampaign": .scope("campaigns:read", everybody),
    "listTestSends": .scope("campaigns:read", everybody),
    "exportCampaign": .scope("leads:export", analysts),
    "followCampaign": .scope("campaigns:read", everybody),
    "listAudience": .scope("campaigns:read", everybody),
    "explainAudienceMember": .scope("campaigns:read", everybody),
    "verifyAudience": .scope("campaigns:read", everybody),
    "createCampaign": .scope("campaigns:write", marketers),
    "updateCampaign": .scope("campaigns:write", marketers),
    "deleteCampaign": .scope("campaigns:write", marketers),
    "testSendCampaign": .scope("campaigns:run", marketers),
    "runCampaign": .scope("campaigns:run", marketers),
    "confirmCampaign": .scope("campaigns:run", marketers),
    "setCampaignStatus": .scope("campaigns:run", marketers),
    "pauseCampaign": .scope("campaigns:run", marketers),
    "resumeCampaign": .scope("campaigns:run", marketers),
    "cancelCampaign": .scope("campaigns:run", marketers),

    "listDeadLetters": .scope("dlq:read", analysts),
    "getDeadLetter": .scope("dlq:read", analysts),
    "replayDeadLetter": .scope("dlq:replay", admins),
    "discardDeadLetter": .scope("dlq:replay", admins),
    "replayDeadLetters": .scope("dlq:replay", admins),

    "receiveReceipts": .signature,
    "getDeliveryStatus": .scope("status:read", everybody),
    "getStatus": .scope("status:read", everybody),
    "getDashboard": .scope("status:read", everybody),

    "createToken": .anyone,
    "getCaller": .anyone,
    "logout": .anyone,
    "listAPIKeys": .scope("keys:manage", admins),
    "getAPIKey": .scope("keys:manage", admins),
    "createAPIKey": .scope("keys:manage", admins),
    "revokeAPIKey": .scope("keys:manage", admins),
    "listAuditEntries": .scope("audit:read", admins),

    "getDescription": .open,
    "showDocumentation": .open,
    "getHealth": .open,
    "getReadiness": .open,
    "getMetrics": .open,
  ]
}
