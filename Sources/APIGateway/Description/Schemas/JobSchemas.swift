import CRMStore
import JSON

extension Schema {
  static let jobState = choice(of: JobState.self)

  static let rowError = named(
    "RowError",
    object([
      .required("row", integer.described("From 1: the element of a bulk request, the line below a CSV's header")),
      .required("field", string), .required("code", string), .required("message", string),
    ]))

  private static let jobMembers: [Member] = [
    .required("_id", objectID), .required("kind", choice(of: JobKind.self)), .required("state", jobState),
    .required("received", count), .required("processed", count), .required("inserted", count),
    .required("modified", count), .required("rejected", count), .required("created_at", timestamp),
    .required("updated_at", timestamp), .optional("completed_at", timestamp),
    .optional("failure", string.described("Why it failed; rows that did arrive are stored all the same")),
  ]

  static let job = named(
    "Job",
    object(
      jobMembers + [
        .required("errors", array(of: rowError).described("The first 100")),
        .required("errors_truncated", boolean.described("There are more")),
      ]))
}
