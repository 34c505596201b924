import CRMCore
import HTTP

extension Operation {
  static let listCampaigns = Operation(
    "List campaigns",
    query: .paging(sortedBy: CampaignHandlers.SortField.self) + .search("the name") + [
      .init("status", .choice(of: CampaignStatus.self))
    ],
    answers: [.page(of: .campaign)])

  static let createCampaign = Operation(
    "Make a campaign",
    "With `send` it is launched at once, with `schedule_at` at its time: both take the scope `campaigns:run`, too.",
    body: .json(.campaignInput), answers: [.created(.campaign)],
    problems: [.unknownReference, .impossibleSchedule, .dependencyUnavailable])

  static let getCampaign = Operation("Show a campaign with its live statistics", answers: [.data(.campaign)])

  static let updateCampaign = Operation(
    "Change a campaign",
    "Only while it is a DRAFT; `schedule_at`, which takes the scope `campaigns:run`, too, also while it is SCHEDULED.",
    body: .json(.campaignChange), answers: [.data(.campaign)],
    problems: [.conflict, .unknownReference, .impossibleSchedule])

  static let deleteCampaign = Operation(
    "Delete a campaign", "Only a DRAFT or one that has ended.", answers: [.deleted], problems: [.conflict])

  static let getCampaignStats = Operation(
    "Count a run's sends by their state", query: [.run], answers: [.data(.runStats)])

  static let followCampaign = Operation(
    "Follow a campaign",
    """
    Server-sent events. Each event `stats` has the campaign's status and the counters of its current run as `data`, and an \
    id that names this state: with it as `Last-Event-ID`, any gateway leaves out what is known. Changes that come faster \
    than a client reads are one event. A comment comes every 15 seconds. The stream ends when the campaign has ended; \
    204 says that there is nothing to come.
    """,
    headers: [.init(CampaignEventHandlers.lastEventID, .string, "The id of the last event that was read")],
    answers: [
      .stream(CampaignEventHandlers.mediaType, "Events until the campaign has ended", of: .campaignEvent),
      .init(204, "The campaign has ended, in the state that `Last-Event-ID` names", mediaType: nil),
    ], problems: [.overloaded])

  static let listCampaignLogs = Operation(
    "List a run's sends",
    query: .paging() + .search("address and message, or equal to the id of a send or lead") + [
      .init("status", .choice(of: SendStatus.self)), .run,
    ],
    answers: [.page(of: .logEntry)])

  static let exportCampaign = Operation(
    "Export a run's sends as CSV",
    """
    One line for each lead whose send has a row in the log: state, the reason for it, vendor, the vendor's id of the \
    message, and when each state was reached. A cell that a spreadsheet would take for a formula has an apostrophe in \
    front. Each export is entered in the audit log.
    """,
    query: [.run], answers: [.stream(HTTPResponse.csvType, "A line of column names, then a line for each send")])

  static let previewCampaign = Operation(
    "Render messages without sending any",
    "For the leads named, or for the first of the segment: 10 if the request has no body.",
    body: .json(.previewRequest, required: false), answers: [.data(.array(of: .previewedMessage))],
    problems: [.tooSlow, .ruleTooSlow])

  static let testSendCampaign = Operation(
    "Send a campaign's message to addresses of one's own",
    """
    With the values of the lead named, or of the segment's first. A test send has an id of its own, is made once, at the \
    vendor's limits, and counts nowhere: neither in the log nor in the statistics. `test-sends` tells what came of it.
    """,
    body: .json(.testSendRequest), answers: [.data(.array(of: .testSend), status: 202)],
    problems: [.unknownReference, .impossibleMessage, .tooSlow, .ruleTooSlow])

  static let listTestSends = Operation(
    "List a campaign's test sends", "Those of the last 30 days, newest first.", query: .paging(),
    answers: [.page(of: .testSend)])

  static let runCampaign = Operation(
    "Launch a campaign", "One that has ended runs again only with `rerun`.",
    body: .json(.runRequest, required: false), answers: [.json(.launched, status: 202, "Launched")],
    problems: [.conflict])

  static let confirmCampaign = Operation(
    "Launch a campaign whose schedule was found too late",
    "Only while it is SCHEDULED and `confirmation_required`.",
    body: .json(.nothing, required: false), answers: [.json(.launched, status: 202, "Launched")],
    problems: [.conflict])

  static let setCampaignStatus = Operation(
    "Change a campaign's status",
    "SCHEDULED, RUNNING, PAUSED and CANCELLED can be asked for, where the present status allows it. Asking for the "
      + "status that it has changes nothing.",
    body: .json(.statusChange), answers: [.data(.campaign)],
    problems: [.conflict, .impossibleSchedule, .dependencyUnavailable])

  static let pauseCampaign = move("Pause a campaign")
  static let resumeCampaign = move("Resume a campaign")
  static let cancelCampaign = move("Cancel a campaign")

  private static func move(_ summary: String) -> Operation {
    Operation(
      summary, body: .json(.nothing, required: false), answers: [.data(.campaign)],
      problems: [.conflict, .dependencyUnavailable])
  }
}

extension Operation.Parameter {
  static let run = Operation.Parameter("run_id", .uuid, "Of an earlier run; the current one if not given")
}
