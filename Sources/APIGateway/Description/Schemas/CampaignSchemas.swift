import CRMCore
import JSON

extension Schema {
  static let campaignStatus = named("CampaignStatus", choice(of: CampaignStatus.self))
  static let sendStatus = named("SendStatus", choice(of: SendStatus.self))
  static let deliveryPolicy = named("DeliveryPolicy", choice(of: DeliveryPolicy.self))
  static let messageTemplate = string(format: "message-template").with("minLength", 1)
    .described("A small part of Liquid; see the guide").example("Hi {{ name | first_name }}")

  private static let statsMembers: [Member] =
    CampaignStats.counterNames.map { .required($0, count) } + [
      .required("in_flight", count), .required("delivery_rate", number), .required("read_rate", number),
      .required("failure_rate", number), .required("progress", number),
    ]

  static let campaignStats = named(
    "CampaignStats",
    object(statsMembers).described(
      "Sends by their present state. The states are disjoint, and together they are the `audience`, at every instant."))

  /// The counters of one run, with where it stands.
  static let runStats = named(
    "CampaignRunStats",
    object(
      [
        .required("campaign_id", objectID), .required("status", campaignStatus),
        .required("run_id", nullable(uuid).described("Null while the campaign has never run")),
        .required("run_state", nullable(choice(of: RunState.self))),
      ] + statsMembers))

  /// A server-sent event; its `data` is JSON in text.
  static let campaignEvent = named(
    "CampaignEvent",
    object([
      .required("event", constant(CampaignMoment.eventName)),
      .required("id", string.described("Names the state, for `Last-Event-ID`")),
      .required(
        "data",
        Schema(
          ["type": "string", "contentMediaType": "application/json", "contentSchema": runStats.json], of: [runStats])),
    ]))

  private static let failure = object([
    .required("class", string), .required("message", string), .required("at", timestamp),
  ])

  static let campaign = named(
    "Campaign",
    object([
      .required("_id", objectID), .required("name", string), .required("segment_id", objectID),
      .required("message_template", string), .required("channel", channel), .required("created_by", string),
      .required("status", campaignStatus), .required("schedule_at", nullable(timestamp)),
      .required(
        "confirmation_required",
        boolean.described("Its time was found too late; it waits to be confirmed, changed or cancelled")),
      .required("delivery_policy", deliveryPolicy), .required("current_run", nullable(uuid)),
      .required("stats", nullable(campaignStats).described("Of the current run; null before the first one")),
      .required("failure", nullable(failure).described("Why it could not be carried out")),
      .required("created_at", timestamp), .required("updated_at", timestamp),
    ]))

  static let campaignInput = named(
    "CampaignInput",
    closedObject([
      .required("name", text(1...200)), .required("segment_id", objectID),
      .required("message_template", messageTemplate), .required("channel", channel),
      .optional("created_by", text(1...200).described("Whoever makes the request, unless given")),
      .optional("schedule_at", timestamp.described("Makes the campaign SCHEDULED; not beside `send: true`")),
      .optional("send", boolean.described("Launch it at once").defaulting(to: false)),
      .optional("delivery_policy", deliveryPolicy),
    ]).with("not", ["required": ["send", "schedule_at"], "properties": ["send": ["const": true]]]))

  static let campaignChange = named(
    "CampaignChange",
    closedObject([
      .optional("name", text(1...200)), .optional("segment_id", objectID),
      .optional("message_template", messageTemplate), .optional("channel", channel),
      .optional("schedule_at", timestamp), .optional("delivery_policy", deliveryPolicy),
    ]))

  static let statusChange = named(
    "CampaignStatusChange", closedObject([.required("status", campaignStatus)]))

  static let previewRequest = named(
    "CampaignPreviewRequest",
    closedObject([
      .optional("limit", integer(in: 1...CampaignPreview.largest).defaulting(to: .int(Int64(CampaignPreview.usual)))),
      .optional("lead_ids", array(of: objectID, count: 1...Int(CampaignPreview.largest))),
    ]).with("not", ["required": ["limit", "lead_ids"]]))

  static let previewedMessage = named(
    "PreviewedMessage",
    object([
      .required("lead_id", objectID), .optional("to", string), .optional("message", string),
      .optional("skipped", string.described("Why the lead would get nothing; then without `to` and `message`")),
    ]))

  static let testSendRequest = named(
    "TestSendRequest",
    closedObject([
      .required(
        "to",
        array(of: anyOf([phone, email]), count: 1...TestSendInput.mostAddresses).described(
          "Telephone numbers or e-mail addresses, as the campaign's channel has it")),
      .optional(
        "lead_id", objectID.described("Whose values the message has; if not given, the segment's first lead's")),
    ]))

  /// When a send reached each of its states.
  private static let reachedTimes: [Member] = SendStatus.allCases.filter { $0 != .pending }.map { status in
    .optional("\(status.rawValue.lowercased())_at", timestamp)
  }

  static let testSend = named(
    "TestSend",
    object(
      [
        .required("_id", uuid), .required("send_id", uuid), .required("campaign_id", objectID),
        .required("lead_id", objectID), .required("channel", channel), .required("to", string),
        .required("message", string), .required("status", sendStatus), .required("attempt", count),
        .optional("vendor", string), .optional("vendor_message_id", string), .optional("error", sendError),
        .optional("created_by", string), .required("created_at", timestamp), .required("updated_at", timestamp),
      ] + reachedTimes))

  static let runRequest = named(
    "RunRequest",
    closedObject([.optional("rerun", boolean.described("Run again what has ended").defaulting(to: false))]))

  static let launched = named(
    "CampaignLaunched",
    object([
      .required("success", Operation.Answer.success), .required("message", string),
      .required("totalLeads", nullable(count).described("Leads at this moment; null if counting takes too long")),
      .required("runId", uuid),
    ]))

  /// `{}`, for actions that need nothing.
  static let nothing = closedObject([])

  static let logEntry = named(
    "LogEntry",
    object(
      [
        .required("_id", uuid), .required("send_id", uuid), .required("campaign_id", objectID),
        .required("run_id", uuid), .required("lead_id", objectID), .required("channel", channel),
        .optional("to", string), .optional("message", string), .required("status", sendStatus),
        .required("attempt", count), .optional("vendor", string), .optional("vendor_message_id", string),
        .optional("error", sendError), .required("updated_at", timestamp),
      ] + reachedTimes))
}
