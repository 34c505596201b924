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
  /// - Throws: `ValidationError` when the lead would grow beyond what a lead may have.
  public func merged(
    into existing: Lead, at now: Timestamp
  ) throws(ValidationError) -> (lead: Lead, changed: Bool) {
    var lead = withGivenValues(existing)
    lead.emails = existing.emails + emails.filter { !existing.emails.contains($0) }
    guard lead.emails.count <= max(Self.mostEmails, existing.emails.count) else {
      throw ValidationError(
        field: "emails", code: "too_many",
        message: "would be \(lead.emails.count) with those that the lead has; at most \(Self.mostEmails) may be")
    }
    if let metadata {
      lead.metadata = Self.merge(metadata, into: existing.metadata)
      try Metadata.checkGrowth(from: existing.metadata, to: lead.metadata)
    }
    lead.optedOut = (optedOut ?? [:]).merging(existing.optedOut) { _, known in known }
    return Self.stamped(lead, existing, now)
  }

  /// The lead with what is given in place of what is there; e-mails, metadata and opt-outs aside.
  func withGivenValues(_ existing: Lead) -> Lead {
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

  /// The lead, with `updatedAt` set when it differs from the one that exists.
  static func stamped(_ lead: Lead, _ existing: Lead, _ now: Timestamp) -> (lead: Lead, changed: Bool) {
    // As bytes: Swift holds composed and decomposed text for equal, MongoDB does not.
    guard lead.bson() != existing.bson() else { return (existing, false) }
    var lead = lead
    lead.updatedAt = now
    return (lead, true)
  }
}
