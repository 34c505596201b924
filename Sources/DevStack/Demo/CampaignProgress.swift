import JSON

/// A campaign's statistics at one moment.
struct CampaignProgress: Sendable, Equatable {
  /// The disjoint states of a send, in the order of its life.
  static let states = [
    "pending", "queued", "sending", "sent", "delivered", "read", "failed", "skipped", "unknown", "cancelled",
  ]

  let audience: Int64
  /// By the index of `states`.
  let counts: [Int64]

  /// Nil where the answer is not a campaign's statistics.
  init?(_ stats: JSONValue?) {
    guard let stats, let audience = stats["audience"]?.intValue else { return nil }
    self.audience = audience
    counts = Self.states.map { stats[$0]?.intValue ?? 0 }
  }

  subscript(state: String) -> Int64 { Self.states.firstIndex(of: state).map { counts[$0] } ?? 0 }

  /// The conservation law: every lead of the audience is in exactly one state.
  var addsUp: Bool { counts.reduce(0, +) == audience }

  /// Sends that have not been tried, or are under way.
  var inFlight: Int64 { self["pending"] + self["queued"] + self["sending"] }
}
