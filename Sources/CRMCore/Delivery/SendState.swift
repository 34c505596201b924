import BSON
import CivilTime

/// What is known of one send, as its log row holds it.
public struct SendState: Sendable, Hashable {
  public var status: SendStatus
  public var attempt: Int32
  public var vendor: String?
  public var vendorMessageID: String?
  /// Why it failed; else why it was skipped; else why it was unknown.
  public var error: SendError?
  public var history: SendHistory
  /// The last attempt of the cycle before this one; 0 in the first. A cycle begins when a dead letter is replayed or a
  /// campaign's policy sends an UNKNOWN send again.
  public var cycleBase: Int32

  public init(
    status: SendStatus, attempt: Int32 = 0, vendor: String? = nil, vendorMessageID: String? = nil,
    error: SendError? = nil, history: SendHistory = SendHistory(), cycleBase: Int32 = 0
  ) {
    self.status = status
    self.attempt = attempt
    self.vendor = vendor
    self.vendorMessageID = vendorMessageID
    self.error = error
    self.history = history
    self.cycleBase = cycleBase
  }

  /// The state after some evidence, and what is strange about it.
  ///
  /// The resulting state does not depend on the order of the events, nor on how often one of them is given: the status is
  /// the highest, each time the earliest, the attempt the last.
  public func merge(_ events: [SendEvent]) -> (state: SendState, anomalies: [SendAnomaly]) {
    var state = self
    var anomalies: [SendAnomaly] = []
    for event in events { state.apply(event, &anomalies) }
    return (state, anomalies)
  }

  private mutating func apply(_ event: SendEvent, _ anomalies: inout [SendAnomaly]) {
    guard !isOfAnEndedCycle(event) else { return }
    for kind in anomalyKinds(of: event) { anomalies.append(SendAnomaly(kind: kind, event: event)) }
    note(event.error, of: event)
    history.record(event.status, at: event.at)
    attempt = max(attempt, event.attempt ?? 0)
    noteVendor(of: event)
    if status.accepts(event.status, evidence: event.evidence) { status = event.status }
  }

  /// That attempts of an earlier cycle were used up is known and has been answered by this cycle; told once more, it
  /// must not end it. What shows that a vendor has the message counts whenever it is told.
  private func isOfAnEndedCycle(_ event: SendEvent) -> Bool {
    guard cycleBase > 0, event.evidence == .outcome, event.status == .failed, event.vendorMessageID == nil else {
      return false
    }
    return (event.attempt ?? 0) <= cycleBase
  }

  private func anomalyKinds(of event: SendEvent) -> [SendAnomaly.Kind] {
    var kinds: [SendAnomaly.Kind] = []
    // A repeated event tells nothing new; it was counted when it came first.
    let isFirst = history[event.status] == nil
    switch event.status {
    case .delivered, .read:
      if isFirst, history.failedAt != nil || status == .failed { kinds.append(.deliveredAfterFailed) }
    case .failed:
      if isFirst, status == .delivered || status == .read { kinds.append(.failedAfterDelivered) }
    case .sent:
      // Receipts of one message may change places on their way; then their own times are in order.
      if isFirst, let failedAt = history.failedAt, event.at > failedAt { kinds.append(.sentAfterFailed) }
    default:
      break
    }
    if event.status > .cancelled {
      if status == .cancelled { kinds.append(.evidenceAfterCancelled) }
      if status == .skipped { kinds.append(.evidenceAfterSkipped) }
    }
    if let known = vendorMessageID, let told = event.vendorMessageID, known != told {
      kinds.append(.vendorMessageConflict)
    }
    return kinds
  }

  /// Of two messages at the vendor the one whose id sorts first is kept with its vendor, whichever is told first; a vendor
  /// told without an id counts only as long as no id is known.
  private mutating func noteVendor(of event: SendEvent) {
    if let told = event.vendorMessageID {
      if let known = vendorMessageID, known <= told {
        if known == told { vendor = Self.earlier(vendor, event.vendor) }
        return
      }
      vendorMessageID = told
      vendor = event.vendor
    } else if vendorMessageID == nil {
      vendor = Self.earlier(vendor, event.vendor)
    }
  }

  private static func earlier(_ left: String?, _ right: String?) -> String? {
    guard let left, let right else { return left ?? right }
    return min(left, right)
  }

  /// Keeps the error of the weightiest state that has one: FAILED before SKIPPED before UNKNOWN, of these the earliest.
  private mutating func note(_ told: SendError?, of event: SendEvent) {
    let weight: [SendStatus] = [.failed, .skipped, .unknown]
    guard let new = weight.firstIndex(of: event.status) else { return }
    guard let old = weight.firstIndex(where: { history[$0] != nil }), let oldTime = history[weight[old]] else {
      error = told
      return
    }
    if new < old {
      error = told
    } else if new == old, event.at <= oldTime {
      error = event.at == oldTime ? Self.earlier(error, told) : told
    }
  }

  private static func earlier(_ left: SendError?, _ right: SendError?) -> SendError? {
    guard let left, let right else { return left ?? right }
    return min(left, right)
  }
}

extension SendState {
  /// Reads the state's fields of a log row.
  public init(bson row: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("log row", row)
    self.init(status: try reader.choice("status"))
    attempt = Int32(clamping: try reader.integer("attempt", default: 0))
    cycleBase = Int32(clamping: try reader.integer("cycle_base", default: 0))
    vendor = try reader.optionalString("vendor")
    vendorMessageID = try reader.optionalString("vendor_message_id")
    if let document = try reader.document("error") {
      error = SendError(
        errorClass: document["class"]?.stringValue ?? "", message: document["message"]?.stringValue ?? "")
    }
    for status in SendStatus.allCases {
      if let field = SendHistory.field(status) { history[status] = try reader.optionalTime(field) }
    }
  }

  /// The fields of a log row that differ from those of an older state, as a `$set` wants them; empty when none does.
  /// Status and rank come together. Merging never takes a value away, so nothing has to be unset.
  public func fields(changedFrom old: SendState) -> BSONDocument {
    var document = BSONDocument()
    if status != old.status {
      document.append("status", status.rawValue)
      document.append("rank", status.rank)
    }
    if attempt != old.attempt { document.append("attempt", attempt) }
    if vendor != old.vendor { document.append("vendor", optional: vendor) }
    if vendorMessageID != old.vendorMessageID { document.append("vendor_message_id", optional: vendorMessageID) }
    if error != old.error, let error {
      document.appendDocument("error") { nested in
        nested.append("class", error.errorClass)
        nested.append("message", error.message)
      }
    }
    for status in SendStatus.allCases where history[status] != old.history[status] {
      if let field = SendHistory.field(status) { document.append(field, optional: history[status]) }
    }
    return document
  }
}
