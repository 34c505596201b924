import CRMCore
import JSON

extension Operation {
  static let listLeads = Operation(
    "List leads",
    query: .paging(sortedBy: LeadHandlers.SortField.self) + .search("name, e-mail addresses and telephone numbers") + [
      .init("min_spend", .number), .init("max_spend", .number),
      .init("tag", .string(1...100, pattern: #"^[^\u0000]*$"#)),
      .init("segment_id", .objectID, "Only leads that are in the segment now"),
    ],
    answers: [.page(of: .lead)], problems: [.ruleTooSlow])

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

  static let getLead = Operation("Show a lead", answers: [.data(.lead)])
}

extension [Operation.Parameter] {
  static let bulkMode: [Operation.Parameter] = [.init("mode", .choice(of: BulkMode.self).defaulting(to: "sync"))]
}

extension [Operation.Answer] {
  /// What became of the rows, or the job that stores them.
  static let bulk: [Operation.Answer] = [
    .data(.bulkSummary), .data(.acceptedJob, status: 202, "With `mode=async`: every row is at the broker"),
  ]
}
