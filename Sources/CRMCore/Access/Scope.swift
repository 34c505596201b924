/// What a caller may do, in the smallest pieces that are given out; the name is how keys and tokens spell it.
public enum Scope: String, CaseIterable, Sendable, Hashable {
  /// Leads, orders, their timeline, and the progress of imports.
  case leadsRead = "leads:read"
  case leadsWrite = "leads:write"
  /// Whole customer lists as files.
  case leadsExport = "leads:export"
  case segmentsRead = "segments:read"
  case segmentsWrite = "segments:write"
  /// Campaigns, their logs and statistics.
  case campaignsRead = "campaigns:read"
  case campaignsWrite = "campaigns:write"
  /// Setting campaigns going and stopping them: what makes messages leave the house.
  case campaignsRun = "campaigns:run"
  /// The dashboard, and how the system is.
  case statusRead = "status:read"
  case deadLettersRead = "dlq:read"
  case deadLettersReplay = "dlq:replay"
  /// Making and revoking API keys. Who has it can give himself everything else.
  case keysManage = "keys:manage"
  case auditRead = "audit:read"
}
