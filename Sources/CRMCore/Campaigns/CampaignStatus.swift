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

extension RunState {
  /// What happens to a run.
  public enum Event: String, CaseIterable, Sendable {
    /// A worker takes the right to freeze its audience, the first one or one that takes over.
    case freeze
    /// Its audience is complete.
    case finishFreezing
    case pause
    /// Goes on where it stopped: with freezing, or, when the audience is frozen, with sending.
    case resumeFreezing
    case resumeSending
    case cancel
    /// Its launch cannot be carried out.
    case fail
    /// Nothing is pending, queued or sending.
    case complete
  }

  /// The state after an event; nil when it is not possible.
  public func after(_ event: Event) -> RunState? {
    switch (self, event) {
    case (.launched, .freeze), (.freezing, .freeze): .freezing
    case (.freezing, .finishFreezing): .running
    case (.launched, .pause), (.freezing, .pause), (.running, .pause): .paused
    case (.paused, .resumeFreezing): .launched
    case (.paused, .resumeSending): .running
    case (.launched, .cancel), (.freezing, .cancel), (.running, .cancel), (.paused, .cancel): .cancelled
    case (.launched, .fail), (.freezing, .fail), (.running, .fail), (.paused, .fail): .failed
    case (.running, .complete): .completed
    default: nil
    }
  }

  /// The states in which an event is possible.
  public static func allowing(_ event: Event) -> [RunState] { allCases.filter { $0.after(event) != nil } }
}
