import BSON
import CivilTime

extension LeadInput {
  /// A lead of these values, with what is not given empty or 0.
  public func newLead(id: ObjectID, at now: Timestamp) -> Lead {
    Lead(
      id: id, name: name ?? "", emails: emails, phones: phones ?? [], tags: tags ?? [], totalSpend: totalSpend ?? 0,
      visits: visits ?? 0, lastOrderAt: lastOrderAt, metadata: metadata ?? [:], optedOut: optedOut ?? [:],
      createdAt: now, updatedAt: now)
  }

  /// An import of a lead that exists (upsert): what is given replaces what is there, but e-mail addresses are added to
  /// those known, metadata is replaced key by key at its top level, and an opt-out is never taken back or moved.
  ///
  /// - Returns: the lead, with `updatedAt` set when a value changed.
  public func merged(into existing: Lead, at now: Timestamp) -> (lead: Lead, changed: Bool) {
    var lead = withGivenValues(existing)
    lead.emails = existing.emails + emails.filter { !existing.emails.contains($0) }
    if let metadata { lead.metadata = Self.merge(metadata, into: existing.metadata) }
    lead.optedOut = (optedOut ?? [:]).merging(existing.optedOut) { _, known in known }
    return Self.stamped(lead, existing, now)
  }

  /// A change by hand (`PATCH`): what is given replaces what is there, opt-outs and e-mail addresses too; metadata is
  /// replaced key by key at its top level.
  public func patched(_ existing: Lead, at now: Timestamp) -> (lead: Lead, changed: Bool) {
    var lead = withGivenValues(existing)
    if !emails.isEmpty { lead.emails = emails }
    if let metadata { lead.metadata = Self.merge(metadata, into: existing.metadata) }
    if let optedOut { lead.optedOut = optedOut }
    return Self.stamped(lead, existing, now)
  }

  /// A replacement (`PUT`): what is not given becomes empty. Only what orders and opt-outs have recorded (`total_spend`,
  /// `visits`, `last_order_at`, `opted_out`) stays unless it is given.
  public func replacing(_ existing: Lead, at now: Timestamp) -> (lead: Lead, changed: Bool) {
    var lead = newLead(id: existing.id, at: existing.createdAt)
    lead.totalSpend = totalSpend ?? existing.totalSpend
    lead.visits = visits ?? existing.visits
    lead.lastOrderAt = lastOrderAt ?? existing.lastOrderAt
    lead.optedOut = optedOut ?? existing.optedOut
    lead.updatedAt = existing.updatedAt
    return Self.stamped(lead, existing, now)
  }

  private func withGivenValues(_ existing: Lead) -> Lead {
    var lead = existing
    if let name { lead.name = name }
    if let phones { lead.phones = phones }
    if let tags { lead.tags = tags }
    if let totalSpend { lead.totalSpend = totalSpend }
    if let visits { lead.visits = visits }
    if let lastOrderAt { lead.lastOrderAt = lastOrderAt }
    return lead
  }

  private static func merge(_ given: BSONDocument, into existing: BSONDocument) -> BSONDocument {
    var merged = existing
    for (key, value) in given where merged[key] != value { merged[key] = value }
    return merged
  }

  private static func stamped(_ lead: Lead, _ existing: Lead, _ now: Timestamp) -> (lead: Lead, changed: Bool) {
    // As bytes: Swift holds composed and decomposed text for equal, MongoDB does not.
    guard lead.bson() != existing.bson() else { return (existing, false) }
    var lead = lead
    lead.updatedAt = now
    return (lead, true)
  }
}
