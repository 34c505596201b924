import JSON

/// A campaign's statistics at one moment.
struct CampaignCounts: Sendable, Equatable {
  /// The disjoint states of a send, in the order of its life.
  static let states = [
    "pending", "queued", "sending", "sent", "delivered", "read", "failed", "skipped", "unknown", "cancelled",
  ]

  let status: String
  let runState: String
  let audience: Int
  /// By the index of `states`.
  private let counts: [Int]

  /// - Throws: `BenchError` when the answer has another shape.
  init(_ answer: JSONValue) throws {
    guard let data = answer["data"], let status = data["status"]?.stringValue,
      let audience = data["audience"]?.intValue
    else { throw BenchError("unexpected statistics: \(answer.encodedString().prefix(500))") }
    self.status = status
    runState = data["run_state"]?.stringValue ?? ""
    self.audience = Int(audience)
    counts = Self.states.map { Int(data[$0]?.intValue ?? 0) }
  }

  subscript(state: String) -> Int { Self.states.firstIndex(of: state).map { counts[$0] } ?? 0 }

  /// Every lead of the audience is in exactly one state.
  var sum: Int { counts.reduce(0, +) }

  var isFrozen: Bool { runState != "LAUNCHED" && runState != "FREEZING" && !runState.isEmpty }
  var isExpanded: Bool { isFrozen && self["pending"] == 0 }
  /// No send waits or is under way.
  var isSent: Bool { isExpanded && self["queued"] == 0 && self["sending"] == 0 }
  var isCompleted: Bool { status == "COMPLETED" }
  /// Completed, and each message has its receipt.
  var isSettled: Bool { isCompleted && audience == self["delivered"] + self["read"] + self["failed"] + self["skipped"] }

  var text: String {
    let parts = zip(Self.states, counts).filter { $0.1 > 0 }.map { "\($0.0) \(grouped($0.1))" }
    return "\(status) \(runState), audience \(grouped(audience)): \(parts.joined(separator: ", "))"
  }
}
