import BSON
import CRMCore
import CivilTime

/// The update that turns one state of a lead into another, naming nothing but what differs.
///
/// Two writers that change different things of one lead at once therefore do not undo each other's work; e-mails are
/// added, never written as a whole, for the same reason.
enum LeadChange {
  /// - Returns: nil when nothing differs.
  static func between(_ old: Lead, _ new: Lead, at now: Timestamp) -> BSONDocument? {
    var set = BSONDocument()
    if new.name != old.name { set.append("name", new.name) }
    if new.phones != old.phones { set.append("phones", array: new.phones.map { .string($0) }) }
    if new.tags != old.tags { set.append("tags", array: new.tags.map { .string($0) }) }
    if new.totalSpend != old.totalSpend { set.append("total_spend", new.totalSpend) }
    if new.visits != old.visits { set.append("visits", new.visits) }
    if new.lastOrderAt != old.lastOrderAt, let date = new.lastOrderAt {
      set.appendDate("last_order_at", milliseconds: date.milliseconds)
    }
    if new.metadata != old.metadata {
      for (key, value) in new.metadata where old.metadata[key] != value { set.append("metadata.\(key)", value) }
    }
    for (channel, date) in new.optedOut where old.optedOut[channel] != date {
      set.appendDate("opted_out.\(channel.rawValue)", milliseconds: date.milliseconds)
    }
    let added = new.emails.filter { !old.emails.contains($0) }
    guard !set.isEmpty || !added.isEmpty else { return nil }
    set.appendDate("updated_at", milliseconds: now.milliseconds)
    var update = BSONDocument()
    update.append("$set", document: set)
    if !added.isEmpty {
      update.append("$addToSet", ["emails": ["$each": .array(added.map { .string($0) })]])
    }
    return update
  }
}
