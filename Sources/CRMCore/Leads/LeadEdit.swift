import BSON
import CivilTime
import JSON

/// A change of one lead by hand: a replacement (`PUT`) or a merge patch (`PATCH`, RFC 7396), checked and normalised.
///
/// Neither takes an opt-out back by leaving it out: a channel is opened again only by its name with null.
public struct LeadEdit: Sendable {
  private enum Kind: Sendable { case replacement, patch }

  private let kind: Kind
  private let input: LeadInput
  /// Members of a patch that are null: their values go.
  private let emptied: Set<String>
  /// A patch's metadata as it came, with the nulls that take keys away; `input.metadata` has it without them.
  private let metadata: JSONObject?
  /// Channels whose opt-out is taken back.
  private let reopened: Set<Channel>

  /// What may be null in a patch. Name and e-mails are required, totals belong to the orders.
  private static let removable: Set<String> = ["phones", "tags", "metadata", "last_order_at"]
  private static let kept: Set<String> = ["name", "emails", "total_spend", "visits", "opted_out"]

  /// A replacement: what is not given becomes empty. Only what orders and opt-outs have recorded (`total_spend`, `visits`,
  /// `last_order_at`, `opted_out`) stays unless it is given.
  public static func replacement(_ json: JSONValue) -> Result<LeadEdit, ValidationError> {
    guard var object = json.objectValue else { return LeadInput.decode(json).map { replacing($0, []) } }
    let reopened = takeReopened(from: &object)
    return LeadInput.decode(.object(object)).map { replacing($0, reopened) }
  }

  private static func replacing(_ input: LeadInput, _ reopened: Set<Channel>) -> LeadEdit {
    LeadEdit(kind: .replacement, input: input, emptied: [], metadata: nil, reopened: reopened)
  }

  /// A merge patch: what is given replaces what is there, arrays as a whole; null takes away; metadata is merged at every
  /// level.
  public static func patch(_ json: JSONValue) -> Result<LeadEdit, ValidationError> {
    guard var object = json.objectValue else {
      return LeadInput.decode(json, requiring: .partial).map { _ in replacing(LeadInput(), []) }
    }
    var errors: [FieldError] = []
    var emptied: Set<String> = []
    let reopened = takeReopened(from: &object)
    for (key, value) in object where value.isNull {
      if removable.contains(key) {
        emptied.insert(key)
        object[key] = nil
      } else if kept.contains(key) {
        let advice = key == "opted_out" ? "; set the channel itself to null" : ""
        errors.append(FieldError(field: key, code: "not_removable", message: "cannot be removed" + advice))
        object[key] = nil
      }
    }
    let metadata = object["metadata"]?.objectValue
    if let metadata { object["metadata"] = .object(withoutNulls(metadata)) }
    switch LeadInput.decode(.object(object), requiring: .partial) {
    case .failure(let error): return .failure(ValidationError(errors + error.errors) ?? error)
    case .success(let input):
      if let error = ValidationError(errors) { return .failure(error) }
      return .success(
        LeadEdit(kind: .patch, input: input, emptied: emptied, metadata: metadata, reopened: reopened))
    }
  }

  /// The lead after the change, with `updatedAt` set when a value changed.
  ///
  /// - Throws: `ValidationError` when the metadata, merged, is more than a lead may have.
  public func applied(to existing: Lead, at now: Timestamp) throws(ValidationError) -> (lead: Lead, changed: Bool) {
    var lead = kind == .replacement ? replaced(existing) : try patched(existing)
    lead.optedOut = existing.optedOut.merging(input.optedOut ?? [:]) { _, given in given }
    for channel in reopened { lead.optedOut[channel] = nil }
    return LeadInput.stamped(lead, existing, now)
  }

  private func replaced(_ existing: Lead) -> Lead {
    var lead = input.newLead(id: existing.id, at: existing.createdAt)
    lead.totalSpend = input.totalSpend ?? existing.totalSpend
    lead.visits = input.visits ?? existing.visits
    lead.lastOrderAt = input.lastOrderAt ?? existing.lastOrderAt
    lead.updatedAt = existing.updatedAt
    return lead
  }

  private func patched(_ existing: Lead) throws(ValidationError) -> Lead {
    var lead = input.withGivenValues(existing)
    if !input.emails.isEmpty { lead.emails = input.emails }
    if emptied.contains("phones") { lead.phones = [] }
    if emptied.contains("tags") { lead.tags = [] }
    if emptied.contains("last_order_at") { lead.lastOrderAt = nil }
    if emptied.contains("metadata") { lead.metadata = [:] }
    if let metadata, let values = input.metadata {
      lead.metadata = LeadEdit.merge(metadata, values, into: existing.metadata)
      try Metadata.checkGrowth(from: existing.metadata, to: lead.metadata)
    }
    return lead
  }

  /// RFC 7396, "MergePatch", over the values that the patch was found to have.
  private static func merge(
    _ patch: JSONObject, _ values: BSONDocument, into existing: BSONDocument
  ) -> BSONDocument {
    var merged = existing
    for (key, value) in patch {
      if value.isNull {
        merged[key] = nil
      } else if let nested = value.objectValue {
        let below = merged[key]?.documentValue ?? [:]
        merged[key] = .document(merge(nested, values[key]?.documentValue ?? [:], into: below))
      } else if let given = values[key], merged[key] != given {
        merged[key] = given
      }
    }
    return merged
  }

  private static func withoutNulls(_ object: JSONObject) -> JSONObject {
    JSONObject(
      object.compactMap { key, value in
        if value.isNull { return nil }
        return (key: key, value: value.objectValue.map { .object(withoutNulls($0)) } ?? value)
      })
  }

  /// Takes the channels that are null out of `opted_out`.
  private static func takeReopened(from object: inout JSONObject) -> Set<Channel> {
    guard var optOuts = object["opted_out"]?.objectValue else { return [] }
    let reopened = Set(Channel.allCases.filter { optOuts[$0.rawValue]?.isNull == true })
    for channel in reopened { optOuts[channel.rawValue] = nil }
    object["opted_out"] = .object(optOuts)
    return reopened
  }
}
