extension Operation {
  static let listSegments = Operation(
    "List segments", query: .paging(sortedBy: SegmentHandlers.SortField.self) + .search("the name"),
    answers: [.page(of: .segment)])

  static let createSegment = Operation(
    "Make a segment", "Everything that is wrong with the rule is named by its path.", body: .json(.segmentInput),
    answers: [.created(.segment)], problems: [.unknownReference, .impossibleRule])

  static let getSegment = Operation("Show a segment", answers: [.data(.segment)])

  static let replaceSegment = Operation(
    "Replace a segment", body: .json(.segmentInput), answers: [.data(.segment)],
    problems: [.unknownReference, .impossibleRule])

  static let deleteSegment = Operation(
    "Delete a segment", "One that a campaign uses which has not ended cannot be deleted.", answers: [.deleted],
    problems: [.conflict])

  static let duplicateSegment = Operation(
    "Copy a segment",
    "The copy has the original's rule, zone and owner. Without a name it is called like the original.",
    body: .json(.named("SegmentCopyInput", .closedObject([.optional("name", .text(1...200))])), required: false),
    answers: [.created(.segment)])
}

extension Operation {
  static let previewSegment = Operation(
    "Count and show who a rule finds", body: .json(.named("RulePreviewRequest", .closedObject(Schema.ruleQuestion))),
    answers: [.data(.segmentPreview)], problems: [.ruleTooSlow, .unknownReference, .impossibleRule])

  static let explainRule = Operation(
    "Tell what a rule finds, part by part, and what that takes",
    "The children of the outermost group are counted one by one, the first 50 of them; one that takes too long is null.",
    body: .json(.named("RuleExplainRequest", .closedObject(Schema.ruleQuestion))),
    answers: [.data(.ruleReport)], problems: [.ruleTooSlow, .unknownReference, .impossibleRule])

  static let evaluateRule = Operation(
    "Put a rule to one lead",
    """
    To a stored lead, named by `lead_id`, or to one that `lead` describes: that one has no orders and has got no \
    messages. `decided_by` are the conditions that suffice for the decision.
    """,
    body: .json(.ruleEvaluation), answers: [.data(.ruleDecision)],
    problems: [.ruleTooSlow, .unknownReference, .impossibleRule])

  static let convertRule = Operation(
    "Convert a rule of another tool",
    """
    Reads the JSON of react-querybuilder and this language's older shape. What has no equal here is refused by its path, \
    never dropped.
    """,
    body: .json(
      .named(
        "RuleConversionRequest",
        .closedObject([
          .required("query", .map(of: .anything).described("A rule or a group of them, as that tool has it")),
          .optional("timezone", .timeZone.described("In which times without a zone are meant; UTC if not given")),
        ]))), answers: [.data(.convertedRule)], problems: [.cannotTranslate])
}
