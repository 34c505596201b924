import JSON

extension Schema {
  static let segment = named(
    "Segment",
    object([
      .required("_id", objectID), .required("name", string), .required("owner_user_id", nullable(string)),
      .required("rule_ast", rule), .required("timezone", string.described("In which the rule's days are meant")),
      .required("preview_count", nullable(integer)), .required("previewed_at", nullable(timestamp)),
      .required("created_at", timestamp), .required("updated_at", timestamp),
    ]))

  static let segmentInput = named(
    "SegmentInput",
    closedObject([
      .required("name", text(1...200)), .required("rule_ast", rule),
      .optional("timezone", timeZone.described("In which the rule's days are meant; UTC if not given")),
      .optional("owner_user_id", text(1...200)),
    ]))

  /// A rule that is asked about, and as of when.
  static let ruleQuestion: [Member] = [
    .required("rule_ast", rule), .optional("timezone", timeZone.described("UTC if not given")),
    .optional("now", timestamp.described("The time at which relative dates are meant; the present if not given")),
  ]

  static let segmentPreview = named(
    "SegmentPreview",
    object([
      .required("count", count), .required("sample", array(of: lead).described("At most 10")),
      .required("explanation", string.described("The rule in plain words")),
    ]))
}
