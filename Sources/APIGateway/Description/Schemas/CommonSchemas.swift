import CRMCore
import JSON

/// What many schemas are made of.
extension Schema {
  static let objectID = string(24...24, pattern: "^[0-9a-fA-F]{24}$")
  static let uuid = string(format: "uuid")
  static let timestamp = string(format: "date-time").example("2026-03-31T10:30:00.000Z")
  static let timeZone = string(format: "time-zone").described("A zone of the tz database").example("Europe/Berlin")
  static let channel = named("Channel", choice(of: Channel.self))
  /// In the base currency unless said otherwise.
  static let money = number(in: 0...1e12)

  /// Text of a query parameter; empty text counts as none.
  static func searchText(_ longest: Int) -> Schema { string(0...longest, pattern: #"^[^\u0000]*$"#) }

  static let pagination = named(
    "Pagination",
    object([
      .optional("page", integer.described("Not with `cursor`")), .required("limit", integer),
      .required("total", count.described("Elements on all pages")), .required("pages", count),
      .optional("next_cursor", string.described("Where the next page begins; not on the last one")),
    ]))

  static let fieldError = named(
    "FieldError",
    object([
      .required("field", string.described("Where: `leads[3].emails[0]`, a parameter's name, or `body`")),
      .required("code", string.described("For programs: `required`, `invalid_type`, `unknown_field`, …")),
      .required("message", string.described("For people")),
    ]))

  /// RFC 9457.
  static let problem = named(
    "Problem",
    object([
      .required("type", choice(Problem.Kind.allCases.map(\.type))),
      .required("title", string), .required("status", integer(in: 400...599)),
      .required("detail", string), .required("success", Schema(["type": "boolean", "const": false])),
      .optional("instance", string.described("The request's path")),
      .optional("request_id", string.described("As in `X-Request-Id`")),
      .optional("errors", array(of: fieldError).described("Every bad field, where fields are bad")),
      .optional("required_scope", choice(of: Scope.self).described("What the credential is not good for")),
      .optional("current_status", string.described("Of the document that a conflict is about")),
      .optional("jobId", objectID.described("Of the import that was broken off")),
      .optional("runId", uuid.described("Of the campaign's run that a conflict is about")),
    ]))
}
