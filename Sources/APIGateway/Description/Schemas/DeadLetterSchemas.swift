import CRMCore

extension Schema {
  private static let letterMembers: [Member] = [
    .required("_id", uuid), .required("topic", string), .optional("partition", integer), .optional("offset", integer),
    .required("group", string), .required("attempts", count), .required("error_class", string),
    .required("error", string), .optional("first_failure", timestamp), .required("failed_at", timestamp),
    .required("state", choice(of: DeadLetterState.self)), .optional("replays", count),
    .optional("replayed_at", timestamp), .optional("discarded_at", timestamp),
    .optional("result", choice(["republished", "reopened", "superseded", "refused"])),
    .optional("send_status", choice(of: SendStatus.self)),
  ]

  static let deadLetter = named("DeadLetter", object(letterMembers))

  static let wholeDeadLetter = named(
    "WholeDeadLetter",
    object(
      letterMembers + [
        .required("key", nullable(string)), .required("value", nullable(string)),
        .required("value_is_text", boolean.described("If not, key, value and headers are hexadecimal where need be")),
        .required("headers", map(of: nullable(string))),
      ]))

  static let replayRequest = named(
    "ReplayRequest",
    closedObject([
      .optional("topic", text(1...249)), .optional("error_class", text(1...200)), .optional("from", timestamp),
      .optional("to", timestamp), .optional("limit", integer(in: 1...1000).defaulting(to: 100)),
    ]))

  static let replayReport = named(
    "ReplayReport",
    object([
      .required("found", count), .required("republished", count), .required("reopened", count),
      .required("superseded", count),
      .required("refused", array(of: object([.required("_id", uuid), .required("reason", string)]))),
    ]))
}
