import CRMStore

extension Schema {
  private static let chunkMembers: [Member] = [
    .required("_id", objectID), .required("sequence", integer),
    .required("origin", choice([AudienceChunk.Origin.rule.rawValue, AudienceChunk.Origin.manual.rawValue])),
    .required("leads", count), .required("expanded", boolean), .required("frozen_at", timestamp),
  ]

  static let audienceChunk = named(
    "AudienceChunk", object(chunkMembers + [.required("lead_ids", array(of: objectID))]))

  static let audienceMember = named(
    "AudienceMember",
    object([
      .required("campaign_id", objectID), .required("run_id", uuid), .required("lead_id", objectID),
      .required("in_audience", boolean), .required("reason", string),
      .required("as_of", timestamp.described("The `now` of the rule's relative dates")),
      .required("timezone", string), .required("rule_ast", anything.described("The rule as it was at the launch")),
      .required("rule", nullable(string).described("The rule in words")), .required("audience", count),
      .required("audience_hash", nullable(string)), .required("frozen", boolean),
      .optional("chunk", object(chunkMembers)), .optional("send_id", uuid),
    ]))

  static let audienceCheck = named(
    "AudienceCheck",
    object([
      .required("run_id", uuid), .required("matches", boolean), .required("frozen", boolean),
      .required("audience_hash", nullable(string).described("As the freezing left it")),
      .required("computed_hash", nullable(string).described("Of the chunks as they are now")),
      .required("chunks", count), .required("leads", count), .required("manual_leads", count),
      .required("audience", count),
    ]))
}
