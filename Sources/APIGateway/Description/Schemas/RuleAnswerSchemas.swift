import JSON

/// What questions about a rule are answered.
extension Schema {
  static let ruleReport = named(
    "RuleReport",
    object([
      .required("count", count), .required("explanation", string.described("The rule in plain words")),
      .required("rules", array(of: rulePart)),
      .required("rules_omitted", count.described("Children of the outermost group beyond those in `rules`")),
      .required("filter", map(of: anything).described("Over leads, as MongoDB Extended JSON")),
      .required(
        "questions",
        array(of: ruleQuestionAnswered).described("What orders and messages are asked, for the ids in the filter")),
      .required("plan", queryPlan),
      .required("stretches", count.described("Stretches of leads for which the questions were asked in turn")),
      .required("suggested_index", nullable(suggestedIndex)), .required("advice", string),
    ]))

  private static let rulePart = named(
    "RulePart",
    object([
      .required("path", string.example("rule_ast.children[0]")), .required("explanation", string),
      .required("count", nullable(count).described("Leads that fulfil it alone; null if counting took too long")),
      .required(
        "running_count",
        nullable(count).described("Leads that fulfil the group as far as this child; null if counting took too long")),
    ]))

  private static let ruleQuestionAnswered = object([
    .required("path", string), .required("collection", choice(["orders", "communication_logs"])),
    .required("pipeline", array(of: map(of: anything))), .required("plan", queryPlan),
  ])

  private static let queryPlan = named(
    "QueryPlan",
    object([
      .required("stages", array(of: string).described("The last one to run first")),
      .required(
        "indexes",
        array(
          of: object([
            .required("name", string), .required("keys", map(of: anything)),
            .required("bounds", map(of: array(of: string))),
          ]))), .required("keys_examined", count), .required("documents_examined", count), .required("found", count),
      .required("milliseconds", count),
    ]))

  private static let suggestedIndex = named(
    "SuggestedIndex",
    object([
      .required("keys", array(of: map(of: anything)).described("Of each index that is needed")),
      .required("commands", array(of: string).described("For the MongoDB shell")),
    ]))

  static let ruleEvaluation = named(
    "RuleEvaluationRequest",
    oneOf([
      named(
        "StoredLeadEvaluation",
        closedObject(ruleQuestion + [.required("lead_id", objectID.described("A stored lead"))])),
      named(
        "DescribedLeadEvaluation",
        closedObject(ruleQuestion + [.required("lead", leadInput.described("A lead that need not be stored"))])),
    ]))

  static let ruleDecision = named(
    "RuleDecision",
    object([
      .required("matches", boolean),
      .required(
        "decided_by",
        array(
          of: object([
            .required("path", string.example("rule_ast.children[0]")), .required("field", string),
            .required("operator", string), .required("value", anything),
            .required("actual", anything.described("What the lead has; null when that is missing")),
            .required("result", boolean),
          ]))),
    ]))

  static let convertedRule = named(
    "ConvertedRule",
    object([
      .required("rule_ast", rule), .required("explanation", string),
      .required(
        "notes", array(of: string).described("Where a word now means something that its author may not expect")),
    ]))
}
