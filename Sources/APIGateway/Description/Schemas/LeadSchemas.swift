import CRMCore
import JSON

extension Schema {
  static let email = string(format: "email").with("maxLength", 254)
  /// Separators may stand anywhere, `00` for the plus; see `PhoneNumber`.
  static let phone = string(pattern: phonePattern).example("+1 415 555 0123")

  private static let phonePattern: String = {
    let gap = #"[ \t\u00a0\u202f\u2010\u2011\u2013().\-]*"#
    return "^\(gap)(\\+|0\(gap)0)\(gap)[1-9](\(gap)[0-9]){6,14}\(gap)$"
  }()

  /// Strings, numbers, booleans, arrays of these, and objects, five keys deep.
  ///
  /// - Parameter isPatch: null stands for a key that is to go.
  private static func metadata(levels: Int, isPatch: Bool = false) -> Schema {
    let scalars = [string(0...Metadata.longestString), number, boolean]
    var values = scalars + [array(of: anyOf(scalars), count: 0...Metadata.mostElements)]
    if levels > 1 { values.append(metadata(levels: levels - 1, isPatch: isPatch)) }
    if isPatch { values.append(null) }
    let key = string(1...64, pattern: "^[0-9]*[A-Za-z_-][A-Za-z0-9_-]*$")
    return map(of: anyOf(values), names: key).with("maxProperties", .int(Int64(Metadata.mostKeys)))
  }

  static let metadata = named(
    "Metadata",
    metadata(levels: Metadata.deepestKey).described(
      "At most \(Metadata.mostKeys) keys in all. Keys consist of `A-Z a-z 0-9 _ -` and not of digits alone."))

  static let optOuts = object(Channel.allCases.map { .optional($0.rawValue, timestamp) })
    .described("Channels that must not be used, and since when")

  static let lead = named(
    "Lead",
    object([
      .required("_id", objectID), .required("name", string),
      .required("emails", array(of: string).described("In lower case; each belongs to one lead only")),
      .required("phones", array(of: string).described("E.164")), .required("tags", array(of: string)),
      .required("total_spend", number.described("In the base currency")),
      .required("visits", integer.described("How many orders there were")),
      .required("last_order_at", nullable(timestamp)), .required("metadata", map(of: anything)),
      .required("opted_out", optOuts), .required("created_at", timestamp), .required("updated_at", timestamp),
    ]))

  private static func leadMembers(isPatch: Bool = false, reopens: Bool = false) -> [Member] {
    let emails = array(of: email, count: 1...50)
    let required: [Member] =
      isPatch
      ? [.optional("name", text(1...200)), .optional("emails", emails)]
      : [.required("name", text(1...200)), .required("emails", emails)]
    func removable(_ schema: Schema) -> Schema { isPatch ? nullable(schema) : schema }
    let channels = reopens ? reopenableOptOuts : optOuts
    return required + [
      .optional("phones", removable(array(of: phone, count: 0...50))),
      .optional("tags", removable(array(of: text(1...100), count: 0...100))),
      .optional("total_spend", money), .optional("visits", integer(in: 0...1_000_000_000)),
      .optional("last_order_at", removable(timestamp)),
      .optional("metadata", isPatch ? metadataPatch : metadata),
      .optional("opted_out", channels.with("additionalProperties", false)),
    ]
  }

  private static let reopenableOptOuts = object(Channel.allCases.map { .optional($0.rawValue, nullable(timestamp)) })
    .described("Since when a channel must not be used; null allows it again")

  private static let metadataPatch = nullable(
    named("MetadataPatch", metadata(levels: Metadata.deepestKey, isPatch: true))
  ).described("Merged at every level; null takes a key away.")

  static let leadInput = named("LeadInput", closedObject(leadMembers()))

  static let leadReplacement = named("LeadReplacement", closedObject(leadMembers(reopens: true)))

  static let leadPatch = named("LeadPatch", closedObject(leadMembers(isPatch: true, reopens: true)))

  static let timelineEntry = named(
    "TimelineEntry",
    anyOf([
      object([.required("type", constant("order")), .required("at", timestamp), .required("order", order)]),
      object([.required("type", constant("message")), .required("at", timestamp), .required("message", logEntry)]),
    ]))

  /// Rows of a bulk request. A row that is not as described does not fail the request.
  static func rows(_ member: String, of row: Schema) -> Schema {
    let rows = array(of: anyOf([row, anything]), count: 0...10_000)
      .described("A row that is not as described is listed in `rejected`; the others are stored.")
    return closedObject([.required(member, rows)])
  }

  static let bulkSummary = named(
    "BulkSummary",
    object([
      .required("accepted", count), .required("inserted", count),
      .required("modified", count.described("Rows in which a value changed")),
      .required("matched", count.described("Rows whose document existed, changed or not")),
      .required(
        "rejected",
        array(of: object([.required("index", count), .required("errors", array(of: fieldError))]))),
      .required("jobId", objectID),
    ]))

  static let acceptedJob = named(
    "AcceptedJob",
    object([
      .required("jobId", objectID), .required("state", jobState), .required("received", count),
    ]))
}
