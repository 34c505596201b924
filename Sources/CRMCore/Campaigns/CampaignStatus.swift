/// Where a campaign is in its life.
public enum CampaignStatus: String, CaseIterable, Sendable {
  case draft = "DRAFT"
  case scheduled = "SCHEDULED"
  case running = "RUNNING"
  case paused = "PAUSED"
  case completed = "COMPLETED"
  case cancelled = "CANCELLED"
  case failed = "FAILED"

  /// Whether a campaign of this status may take the next one. A rerun is not a change of status but a new run.
  public func canBecome(_ next: CampaignStatus) -> Bool {
    switch (self, next) {
    case (.draft, .scheduled), (.draft, .running): true
    case (.scheduled, .running), (.scheduled, .cancelled): true
    case (.running, .paused), (.running, .completed), (.running, .failed), (.running, .cancelled): true
    case (.paused, .running), (.paused, .cancelled): true
    default: false
    }
  }

  /// Only a rerun leads out of it.
  public var isFinal: Bool {
    switch self {
    case .completed, .cancelled, .failed: true
    case .draft, .scheduled, .running, .paused: false
    }
  }
}

/// What becomes of an `UNKNOWN` send that nothing resolved within the deadline.
public enum DeliveryPolicy: String, CaseIterable, Sendable {
  /// It stays `UNKNOWN`: nobody is messaged twice.
  case atMostOnce = "at_most_once"
  /// It is sent again under the same send id: nobody is left out.
  case atLeastOnce = "at_least_once"
}

/// Where one run of a campaign is.
public enum RunState: String, CaseIterable, Sendable {
  /// Written, and its launch record published or about to be.
  case launched = "LAUNCHED"
  /// A worker walks the audience and writes its chunks.
  case freezing = "FREEZING"
  /// The audience is frozen; sends go on.
  case running = "RUNNING"
  case paused = "PAUSED"
  case completed = "COMPLETED"
  case cancelled = "CANCELLED"
  case failed = "FAILED"

  public var isFinal: Bool { !Self.active.contains(self) }

  /// Whether sends of the run that are in flight may be made.
  public var sends: Bool { self == .launched || self == .freezing || self == .running }

  /// Whether an UNKNOWN send of the run may be made again. It is not in flight, so the run may be complete.
  public var resends: Bool { sends || self == .completed }

  /// The states in which a run can still change.
  public static let active: [RunState] = [.launched, .freezing, .running, .paused]
}
