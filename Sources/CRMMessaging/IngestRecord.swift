import BSON
import CRMCore
import Crypto
import JSON
import Kafka
import Runtime

/// A row on its way to the ingest worker: what the client sent for one lead or order, and the job it belongs to.
///
/// On `ingest.leads`: `{"job_id":"<ObjectId>","row":1,"lead":{…}}`, on `ingest.orders` the same with `order`. Rows of a file
/// also say the first row of their batch: `"batch":1`; a batch may be handed over again, its rows count once. Rows count
/// from 1 for the first element of a bulk request and for the line below a CSV's header. The row is validated by the
/// worker: what is wrong with it goes to the job, not to the dead letters.
public struct IngestRecord: Sendable, Equatable {
  /// What a row is about; the raw value is its member's name.
  public enum Kind: String, Sendable, CaseIterable {
    case lead
    case order

    public var topic: Topic {
      switch self {
      case .lead: .ingestLeads
      case .order: .ingestOrders
      }
    }
  }

  public var kind: Kind
  public var jobID: ObjectID
  public var row: Int64
  /// The first row of the batch; nil where a row is never handed over twice.
  public var batch: Int64?
  /// The row as the client wrote it.
  public var content: JSONValue

  /// Bytes of a record's value; a broker's own limit is a megabyte unless it is told otherwise.
  public static let largest = 512 << 10

  /// Rows of a batch at most.
  public static let largestBatch: Int64 = 1000

  public init(kind: Kind, jobID: ObjectID, row: Int64, batch: Int64? = nil, content: JSONValue) {
    self.kind = kind
    self.jobID = jobID
    self.row = row
    self.batch = batch
    self.content = content
  }

  /// The record's key: rows about the same lead or the same order share a partition and keep their order.
  ///
  /// A row without a usable e-mail or number cannot be stored anyway; its key is the job's.
  public var key: String {
    let text: String?
    switch kind {
    case .lead: text = content["emails"]?[0]?.stringValue
    case .order: text = content["order_no"]?.stringValue
    }
    guard let text, !text.isEmpty else { return jobID.hex }
    let trimmed = text.drop { $0.isWhitespace }
    let end = trimmed.lastIndex { !$0.isWhitespace }
    guard let end else { return jobID.hex }
    return kind == .lead ? trimmed[...end].lowercased() : String(trimmed[...end])
  }

  /// The id of the document that this row makes, if it makes one: the same however often the row comes.
  ///
  /// Time of the job, 4 bytes of the digest of its id, and the row: rows of one import lie side by side in the index.
  public var documentID: ObjectID {
    var bytes = jobID.bytes.prefix(4) + SHA256.digest(jobID.bytes).prefix(4)
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: row).bigEndian) { bytes += $0 }
    return ObjectID(bytes: bytes) ?? jobID
  }

  /// The record to publish.
  ///
  /// - Throws: `ValidationError` on `row` when the row makes a record that brokers would refuse.
  public func record(trace: TraceContext) throws(ValidationError) -> KafkaRecord {
    let value = encoded()
    guard value.count <= Self.largest else {
      // Letters that JSON escapes take up to six times their place.
      let message = "is too long as JSON: \(value.count) bytes, at most \(Self.largest)"
      throw ValidationError(field: "row", code: "too_long", message: message)
    }
    return kind.topic.record(key: key, value: value, trace: trace)
  }

  /// The record's value.
  public func encoded() -> [UInt8] {
    var writer = JSONWriter(reservingCapacity: 256)
    writer.beginObject()
    writer.field("job_id", jobID.hex)
    writer.field("row", row)
    if let batch { writer.field("batch", batch) }
    writer.field(kind.rawValue, content)
    writer.endObject()
    return writer.bytes
  }

  /// Reads a record's value.
  ///
  /// - Throws: `PoisonError` of class `unreadable_record` that says which member is wrong.
  public static func decode(_ bytes: [UInt8]?, kind: Kind) throws(PoisonError) -> IngestRecord {
    guard let bytes else { throw PoisonError(errorClass, "the record has no value") }
    let json: JSONValue
    do {
      json = try JSONValue.parse(bytes)
    } catch {
      throw PoisonError(errorClass, "\(error)")
    }
    guard let object = json.objectValue else {
      throw PoisonError(errorClass, "expected an object, got \(json.typeName)")
    }
    let known = ["job_id", "row", "batch", kind.rawValue]
    let unknown = object.keys.filter { !known.contains($0) }
    guard unknown.isEmpty else {
      throw PoisonError(
        errorClass, "unknown members: \(unknown.joined(separator: ", ")); known are \(known.joined(separator: ", "))")
    }
    guard let jobID = object["job_id"]?.stringValue.flatMap({ ObjectID(hex: $0) }) else {
      throw PoisonError(errorClass, "job_id: expected 24 hexadecimal digits")
    }
    guard let row = object["row"]?.intValue, row >= 1 else {
      throw PoisonError(errorClass, "row: expected an integer from 1")
    }
    let batch = object["batch"]?.intValue
    if object["batch"] != nil {
      guard let batch, batch >= 1, batch <= row, row - batch < largestBatch else {
        throw PoisonError(errorClass, "batch: expected the first of at most \(largestBatch) rows, of which this is one")
      }
    }
    guard let content = object[kind.rawValue] else { throw PoisonError(errorClass, "\(kind.rawValue): is missing") }
    return IngestRecord(kind: kind, jobID: jobID, row: row, batch: batch, content: content)
  }

  private static let errorClass = "unreadable_record"
}
