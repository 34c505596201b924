import BSON
import CRMCore
import CivilTime
import Crypto

/// At most 1,000 leads of a frozen audience. Once written, its leads never change.
public struct AudienceChunk: Sendable {
  public enum Origin: String, Sendable {
    /// Found by the segment's rule.
    case rule
    /// Appended by a hand-made chunk job.
    case manual
  }

  public let id: ObjectID
  public let runID: UUIDBytes
  public let sequence: Int64
  public let origin: Origin
  public let leadIDs: [ObjectID]
  /// Its log rows exist.
  public let expanded: Bool
  public let createdAt: Timestamp

  public init(
    id: ObjectID = ObjectID(), runID: UUIDBytes, sequence: Int64, origin: Origin, leadIDs: [ObjectID],
    expanded: Bool = false, createdAt: Timestamp
  ) {
    self.id = id
    self.runID = runID
    self.sequence = sequence
    self.origin = origin
    self.leadIDs = leadIDs
    self.expanded = expanded
    self.createdAt = createdAt
  }

  init(bson: BSONDocument) throws {
    guard let id = bson["_id"]?.objectIDValue, let run = bson["run_id"]?.uuidBytes, let runID = UUIDBytes(bytes: run),
      let sequence = bson["sequence"]?.int64Value,
      let origin = bson["origin"]?.stringValue.flatMap(Origin.init(rawValue:)),
      let leads = bson["lead_ids"]?.arrayValue, let expanded = bson["expanded"]?.boolValue,
      let created = bson["created_at"]?.dateMilliseconds
    else { throw DocumentError(collection: Collections.audienceChunks, document: bson) }
    self.init(
      id: id, runID: runID, sequence: sequence, origin: origin, leadIDs: leads.compactMap(\.objectIDValue),
      expanded: expanded, createdAt: Timestamp(milliseconds: created))
  }

  func bson() -> BSONDocument {
    var document = BSONDocument()
    document.append("_id", id)
    document.appendUUID("run_id", runID.bytes)
    document.append("sequence", sequence)
    document.append("origin", origin.rawValue)
    document.appendArray("lead_ids") { array in
      for lead in leadIDs { array.append(lead) }
    }
    if let first = leadIDs.min(), let last = leadIDs.max() {
      document.append("first_lead_id", first)
      document.append("last_lead_id", last)
    }
    document.append("expanded", expanded)
    document.appendDate("created_at", milliseconds: createdAt.milliseconds)
    return document
  }
}

/// A stored document does not have the shape that this version writes.
public struct DocumentError: Error, CustomStringConvertible {
  public let description: String

  init(collection: String, document: BSONDocument) {
    let id = document["_id"].map { "\($0)" } ?? "without _id"
    description = "a document of \(collection) cannot be read: \(id)"
  }
}
