/// Where a chunk of a frozen audience is. Its leads never change; only this does.
public enum ChunkState: String, CaseIterable, Sendable {
  /// Its leads are PENDING: they have no rows yet.
  case pending
  /// Each lead has a row; some may be queued or sending.
  case expanded
  /// No row is queued or sending any more: sweeps pass it by.
  case settled

  public enum Event: String, CaseIterable, Sendable {
    /// Its job is handled: rows are written, or sends still queued are published again.
    case expand
    /// Its campaign is cancelled.
    case cancel
    /// A sweep finds nothing queued or sending in it.
    case settle
  }

  /// The state after an event; an event that comes again changes nothing.
  public func after(_ event: Event) -> ChunkState {
    switch (self, event) {
    case (.pending, .expand): .expanded
    case (.pending, .cancel), (.expanded, .settle): .settled
    default: self
    }
  }
}
