import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

/// A record that a consumer gave up, as it is filed for people.
public struct DeadLetter: Sendable {
  /// Where the dead letter itself was read, and where its origin was.
  public var letterPartition: Int32
  public var letterOffset: Int64
  public var topic: String
  public var partition: Int32?
  public var offset: Int64?
  public var group: String
  public var attempts: Int
  public var errorClass: String
  public var error: String
  public var firstFailure: Timestamp?
  public var failedAt: Timestamp
  public var key: [UInt8]?
  public var value: [UInt8]?
  public var headers: [(name: String, value: [UInt8])]

  public init(
    letterPartition: Int32, letterOffset: Int64, topic: String, partition: Int32?, offset: Int64?, group: String,
    attempts: Int, errorClass: String, error: String, firstFailure: Timestamp?, failedAt: Timestamp, key: [UInt8]?,
    value: [UInt8]?, headers: [(name: String, value: [UInt8])]
  ) {
    self.letterPartition = letterPartition
    self.letterOffset = letterOffset
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.group = group
    self.attempts = attempts
    self.errorClass = errorClass
    self.error = error
    self.firstFailure = firstFailure
    self.failedAt = failedAt
    self.key = key
    self.value = value
    self.headers = headers
  }

  /// The same letter read twice gets the same id. The failure's time is part of it, because a topic that was deleted and
  /// made again counts its offsets from 0.
  var id: UUIDBytes {
    UUIDBytes(
      v5: "\(topic)/\(partition ?? -1)/\(offset ?? -1)/\(group)/\(letterPartition)/\(letterOffset)/\(failedAt)",
      namespace: DeadLetter.namespace)
  }

  private static let namespace = UUIDBytes(high: 0x5a1c_90d4_77e2_4b6f, low: 0xa3f8_1c64_0b9e_d275)
}

extension Store {
  /// Files dead letters under `dead_letters`, each once however often it is delivered.
  public func file(_ letters: [DeadLetter]) async throws {
    guard !letters.isEmpty else { return }
    try await mongo.withConnection { connection in
      let result = try connection.insertMany(
        Collections.deadLetters, letters.map(Store.document), ordered: false)
      var others = result
      others.errors.removeAll(where: \.isDuplicateKey)
      try others.throwIfFailed()
    }
  }

  private static func document(_ letter: DeadLetter) -> BSONDocument {
    var document = BSONDocument()
    document.appendUUID("_id", letter.id.bytes)
    document.append("topic", letter.topic)
    if let partition = letter.partition { document.append("partition", partition) }
    if let offset = letter.offset { document.append("offset", offset) }
    document.append("group", letter.group)
    document.append("attempts", Int64(letter.attempts))
    document.append("error_class", letter.errorClass)
    document.append("error", letter.error)
    if let first = letter.firstFailure { document.appendDate("first_failure", milliseconds: first.milliseconds) }
    document.appendDate("failed_at", milliseconds: letter.failedAt.milliseconds)
    document.append("state", DeadLetterState.new.rawValue)
    if let key = letter.key { document.append("key", binary: key) }
    if let value = letter.value { document.append("value", binary: value) }
    document.appendArray("headers") { array in
      for header in letter.headers {
        var entry = BSONDocument()
        entry.append("name", header.name)
        entry.append("value", binary: header.value)
        array.append(document: entry)
      }
    }
    return document
  }
}
