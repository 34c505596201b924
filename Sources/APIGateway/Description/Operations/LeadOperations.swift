import CRMCore
import HTTP
import JSON

extension Operation {
  static let listLeads = Operation(
    "List leads",
    query: .paging(sortedBy: LeadHandlers.SortField.self) + .leadFilter,
    answers: [.page(of: .lead)], problems: [.ruleTooSlow, .unknownReference])

  static let exportLeads = Operation(
    "Export leads as CSV",
    """
    UTF-8, in the order of the ids. Texts, numbers and booleans of `metadata` have columns of their own, `metadata:json` \
    has the rest. Lists stand between semicolons. A cell that a spreadsheet would take for a formula has an apostrophe in \
    front. An import takes the file as it is. A connection that ends without the last chunk was broken off. Each export is \
    entered in the audit log.
    """,
    query: .leadFilter, answers: [.stream(HTTPResponse.csvType, "A line of column names, then a line for each lead")],
    problems: [.ruleTooSlow, .unknownReference])

  static let createLead = Operation(
    "Make a lead", "E-mail addresses are lower-cased and belong to one lead only: one that is known is a conflict.",
    body: .json(.leadInput), answers: [.created(.lead)], problems: [.conflict])

  static let bulkUpsertLeads = Operation(
    "Import many leads",
    """
    A lead with a known e-mail address is merged into what is there. Good rows are stored, bad ones are reported, each \
    with everything that is wrong with it. With `mode=async` the rows are handed to Kafka, and the job tells the rest.
    """,
    query: .bulkMode, body: .json(.rows("leads", of: .leadInput)), answers: .bulk)

  static let importLeads = Operation(
    "Import leads from CSV",
    """
    A file of any size, in UTF-8 or Latin-1, with commas, semicolons or tabs, quoted by RFC 4180. The header names the \
    fields: `name`, `emails`, `phones`, `tags`, `total_spend`, `visits`, `last_order_at`, `opted_out.sms`, `metadata.city`, \
    `metadata.age:number`, `metadata.ok:boolean`, `metadata:json`; lists stand between semicolons. `_id`, `created_at` and \
    `updated_at` are passed over. An unknown column is an error. Rows are merged into known leads by e-mail, as in a bulk \
    import; what is wrong with a row is told by the job, which counts rows from 1 below the header.

    An upload that breaks off goes on when the same file is sent again under the same `Idempotency-Key`: rows that were \
    accepted are not imported again. Another file under the key is refused.
    """,
    query: [
      .init("map", .array(of: .string), "`Column:field`: what a column is about; may be given several times"),
      .init("ignore", .array(of: .string), "A column to leave out; may be given several times"),
    ],
    body: .csv, answers: [.data(.acceptedJob, status: 202, "Every row is at the broker")], problems: [.conflict])

  static let getLead = Operation("Show a lead", answers: [.data(.lead)])

  static let replaceLead = Operation(
    "Replace a lead",
    """
    What is not given becomes empty, but for `total_spend`, `visits`, `last_order_at` and opt-outs, which stay. An opt-out \
    is taken back only by its channel with null. An e-mail address of another lead is a conflict that names it.
    """,
    body: .json(.leadReplacement), answers: [.data(.lead)], problems: [.conflict])

  static let patchLead = Operation(
    "Change a lead",
    """
    A JSON merge patch (RFC 7396): what is given replaces what is there, arrays as a whole; null takes away; `metadata` is \
    merged at every level. Name, e-mail addresses and totals cannot be taken away. `application/json` is accepted, too.
    """,
    body: .init(mediaType: APIRequest.mergePatchType, schema: .leadPatch, isRequired: true),
    answers: [.data(.lead)], problems: [.conflict])

  static let deleteLead = Operation(
    "Delete a lead with its orders",
    """
    What was sent to it stays in the campaigns' logs. A message that is on its way in a running campaign is skipped, unless \
    its vendor has been called.
    """,
    answers: [.deleted])

  static let getLeadTimeline = Operation(
    "List a lead's orders and messages, newest first",
    "An order counts at its `ordered_at`, a message when it was queued, skipped or cancelled.",
    query: .keyset, answers: [.page(of: .timelineEntry)])
}

extension [Operation.Parameter] {
  static let leadFilter: [Operation.Parameter] =
    search("name, e-mail addresses and telephone numbers") + [
      .init("min_spend", .number), .init("max_spend", .number),
      .init("tag", .string(1...100, pattern: #"^[^\u0000]*$"#)),
      .init("segment_id", .objectID, "Only leads that are in the segment now"),
    ]

  static let bulkMode: [Operation.Parameter] = [.init("mode", .choice(of: BulkMode.self).defaulting(to: "sync"))]
}

extension [Operation.Answer] {
  /// What became of the rows, or the job that stores them.
  static let bulk: [Operation.Answer] = [
    .data(.bulkSummary), .data(.acceptedJob, status: 202, "With `mode=async`: every row is at the broker"),
  ]
}
