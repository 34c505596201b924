import CRMCore
import Foundation
import JSON

/// The rule language as a schema, made from its vocabulary.
extension Schema {
  static let rule = named(
    "Rule",
    anyOf(
      groups("Rule") + conditions("Lead", RuleVocabulary.lead) + orders + [
        campaignCondition, segmentCondition,
      ]
    )
    .described("A rule over leads: a group, or a condition on a field, on orders, on campaigns or on a segment."))

  private static let orderRule = named(
    "OrderRule",
    anyOf(groups("OrderRule") + conditions("Order", RuleVocabulary.order))
      .described("A rule over the fields of an order."))

  /// The two kinds of groups of the rules that have this name.
  private static func groups(_ name: String) -> [Schema] {
    let rule = reference(to: name)
    return [
      named(
        "\(name)Group",
        closedObject([
          .required("op", choice(["AND", "OR"])), .required("children", array(of: rule).with("minItems", 1)),
        ])),
      named(
        "\(name)Negation",
        closedObject([.required("op", constant("NOT")), .required("children", array(of: rule, count: 1...1))])),
    ]
  }

  /// One schema for the fields of a kind and the operators that take the same values: `LeadDateRange`, ….
  private static func conditions(_ subject: String, _ vocabulary: [RuleVocabulary.Group]) -> [Schema] {
    vocabulary.flatMap { group in
      operands(group).map { form, operators, value in
        named(
          "\(subject)\("\(group.kind)".capitalized)\(form)",
          closedObject([
            .required("type", constant("condition")), .required("field", field(group)),
            .required("operator", choice(operators)), .required("value", value),
          ]))
      }
    }
  }

  private static func field(_ group: RuleVocabulary.Group) -> Schema {
    guard group.kind == .metadata else { return choice(group.fields) }
    let key = "[0-9]*[A-Za-z_-][A-Za-z0-9_-]*"
    return string(pattern: "^metadata\\.\(key)(\\.\(key)){0,\(Metadata.deepestKey - 1)}$").example("metadata.city")
  }

  private static var orders: [Schema] {
    RuleVocabulary.measures.flatMap { group in
      operands(group).map { form, operators, value in
        named(
          "Orders\("\(group.kind)".capitalized)\(form)",
          closedObject([
            .required("type", constant("orders")), .optional("where", orderRule), .optional("within", span),
            .required("measure", choice(group.fields)), .required("operator", choice(operators)),
            .required("value", value),
          ]))
      }
    }
  }

  private static let campaignCondition = named(
    "CampaignCondition",
    closedObject([
      .required("type", constant("campaign")), .required("campaign_id", anyOf([objectID, constant("any")])),
      .required("status", choice(of: CampaignCondition.Status.self)), .optional("within", span),
      .optional("negate", boolean),
    ]))

  private static let segmentCondition = named(
    "SegmentCondition",
    closedObject([.required("type", constant("segment")), .required("segment_id", objectID)]))

  // MARK: Values

  /// The operators of a group by the values that they take, with a name for each.
  private static func operands(
    _ group: RuleVocabulary.Group
  ) -> [(form: String, operators: [String], value: Schema)] {
    let isMeasure = RuleVocabulary.measures.contains { $0.fields == group.fields }
    let scalar = scalar(group.kind)
    let ordered = group.kind == .metadata ? anyOf([number, text]) : scalar
    let forms: [(String, [RuleOperator], Schema)] = [
      ("Equality", [.equal, .notEqual], isMeasure ? scalar : nullable(scalar)),
      ("Comparison", [.greater, .less, .greaterOrEqual, .lessOrEqual], ordered),
      (
        "List", [.isIn, .notIn, .hasAny, .hasAll, .hasNone], array(of: scalar, count: 1...RuleLimits.listValues)
      ),
      ("Search", [.contains, .notContains, .startsWith, .endsWith], needle(group.kind)),
      ("Range", [.between], range(group.kind)), ("Presence", [.exists, .isEmpty], boolean),
      ("Recency", [.withinLast, .withinNext], span),
    ]
    return forms.compactMap { form, operators, value in
      let allowed = operators.filter(group.operators.contains)
      return allowed.isEmpty ? nil : (form, allowed.map(\.rawValue), value)
    }
  }

  private static func scalar(_ kind: RuleField.Kind) -> Schema {
    switch kind {
    case .text, .email, .phone, .tag: text
    case .number: number
    case .date: date
    case .metadata: anyOf([text, number, boolean])
    }
  }

  private static func range(_ kind: RuleField.Kind) -> Schema {
    func pair(_ end: Schema) -> Schema {
      array(of: end, count: 2...2).described("The low end and the high end, both included")
    }
    return kind == .metadata ? anyOf([pair(number), pair(text)]) : pair(scalar(kind))
  }

  /// What is searched for: e-mail addresses, telephone numbers and tags are trimmed, and then something must be left.
  private static func needle(_ kind: RuleField.Kind) -> Schema {
    switch kind {
    case .email, .phone, .tag: searchableText(1...RuleLimits.stringBytes)
    case .text, .number, .date, .metadata: text.with("minLength", 1)
    }
  }

  private static let text = string(0...RuleLimits.stringBytes, pattern: #"^[^\u0000]*$"#)

  private static let span = named(
    "RuleSpan",
    string(pattern: "^([1-9][0-9]{0,2}|a|an) (minute|hour|day|week|month|year)s?$")
      .described("A length of time, such as `30 days`").example("30 days"))

  private static let date = named(
    "RuleDate",
    anyOf([
      timestamp, string(format: "date"),
      string(
        pattern: "^(now|today|yesterday|tomorrow|(this|last|next) (week|month|quarter|year)"
          + "|[1-9][0-9]{0,2} (minute|hour|day|week|month|year)s? ago"
          + "|in [1-9][0-9]{0,2} (minute|hour|day|week|month|year)s?)$"),
    ]).described("A time with its zone, a day, or words such as `7 days ago`, `in 3 weeks`, `last month`"))
}
