extension Operation {
  static let listSegments = Operation(
    "List segments", query: .paging(sortedBy: SegmentHandlers.SortField.self) + .search("the name"),
    answers: [.page(of: .segment)])

  static let createSegment = Operation(
    "Make a segment", "Everything that is wrong with the rule is named by its path.", body: .json(.segmentInput),
    answers: [.created(.segment)])

  static let previewSegment = Operation(
    "Count and show who a rule finds", body: .json(.named("RulePreviewRequest", .closedObject(Schema.ruleQuestion))),
    answers: [.data(.segmentPreview)])

  static let getSegment = Operation("Show a segment", answers: [.data(.segment)])

  static let replaceSegment = Operation(
    "Replace a segment", body: .json(.segmentInput), answers: [.data(.segment)], problems: [.conflict])

  static let deleteSegment = Operation(
    "Delete a segment", "One that a campaign uses which has not ended cannot be deleted.", answers: [.deleted],
    problems: [.conflict])
}
