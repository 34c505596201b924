import BSON

/// Whether a lead has a message of a campaign that got as far as a status.
public struct CampaignQuery: Sendable {
  /// Nil: any campaign.
  public let campaign: ObjectID?
  public let status: CampaignCondition.Status
  /// When it has to have happened, in milliseconds since the epoch, both ends included; nil: at any time.
  public let window: ClosedRange<Int64>?
  /// The condition holds for the leads who have no such message.
  public let negate: Bool

  init(_ condition: CampaignCondition, _ clock: RuleClock) {
    campaign = condition.campaign
    status = condition.status
    negate = condition.negate
    window = condition.within.map { clock.range($0, .ago) }
  }

  /// The statuses that count as this one, each with the time at which it was reached. A message may be read without
  /// anyone having reported its delivery; the next time that is known then stands for it.
  private var reached: [(status: String, time: String)] {
    let path = [("SENT", "sent_at"), ("DELIVERED", "delivered_at"), ("READ", "read_at")]
    return switch status {
    case .sent: path
    case .delivered: Array(path[1...])
    case .read: Array(path[2...])
    case .failed: [("FAILED", "failed_at")]
    case .any: []
    }
  }

  /// The times that say when, the first one that a message has.
  private var times: [String] { status == .any ? SendHistory.beginnings : reached.map(\.time) }

  /// Over the communication log: the messages in question.
  var filter: BSONDocument {
    var filter = BSONDocument()
    if let campaign { filter.append("campaign_id", campaign) }
    if status != .any { filter.append("status", ["$in": .array(reached.map { .string($0.status) })]) }
    if let window {
      let branches = times.indices.map { index -> BSONValue in
        var branch = BSONDocument()
        for missing in times[..<index] { branch.appendNull(missing) }
        branch.append(
          times[index],
          ["$gte": .date(milliseconds: window.lowerBound), "$lte": .date(milliseconds: window.upperBound)])
        return .document(branch)
      }
      filter.append("$or", array: branches)
    }
    return filter
  }

  func holds(for messages: [BSONDocument]) -> Bool { hasMessage(in: messages) != negate }

  func hasMessage(in messages: [BSONDocument]) -> Bool { messages.contains(where: counts) }

  private func counts(_ message: BSONDocument) -> Bool {
    if let campaign, message["campaign_id"]?.objectIDValue != campaign { return false }
    if status != .any {
      guard let current = message["status"]?.stringValue, reached.contains(where: { $0.status == current }) else {
        return false
      }
    }
    guard let window else { return true }
    let time = times.lazy.compactMap { message[$0] }.first { !$0.isNull }
    return time?.dateMilliseconds.map(window.contains) ?? false
  }
}
