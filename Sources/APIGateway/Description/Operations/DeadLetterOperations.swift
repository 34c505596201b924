import CRMCore

extension Operation {
  private static let id: [String: Schema] = ["id": .uuid]

  static let listDeadLetters = Operation(
    "List dead letters, the newest first",
    query: .paging() + [
      .init("topic", .string(1...249, pattern: .noNull)), .init("error_class", .string(1...200, pattern: .noNull)),
      .init("state", .choice(of: DeadLetterState.self)), .init("from", .timestamp, "Failed at this time or later"),
      .init("to", .timestamp, "Failed before this time"),
    ],
    answers: [.page(of: .deadLetter)])

  static let getDeadLetter = Operation(
    "Show a dead letter with its record", path: id, answers: [.data(.wholeDeadLetter)])

  static let replayDeadLetter = Operation(
    "Give a dead letter back to its consumer", "Safe twice: what was done is not done again.", path: id,
    body: .json(.nothing, required: false), answers: [.data(.deadLetter)], problems: [.conflict, .tooManyRequests])

  static let discardDeadLetter = Operation(
    "Mark a dead letter as needing nothing", path: id, body: .json(.nothing, required: false),
    answers: [.data(.wholeDeadLetter)], problems: [.conflict])

  static let replayDeadLetters = Operation(
    "Replay the oldest dead letters that match and are new", body: .json(.replayRequest, required: false),
    answers: [.data(.replayReport)], problems: [.tooManyRequests])
}

extension String {
  /// Text without the character that no parameter may hold.
  fileprivate static let noNull = #"^[^\u0000]*$"#
}
