import CRMCore
import CRMMessaging
import CRMStore
import Crypto
import JSON
import Kafka
import Runtime

/// Gives dead letters back: a record to its topic, byte for byte; a send whose attempts are used up to the send workers,
/// in a new cycle of attempts.
///
/// The record is published before its letter is marked, so that a crash between the two repeats it and loses nothing.
/// That is safe: consumers recognise what they have done, and a send keeps its id.
struct DeadLetterReplayer: Sendable {
  let store: Store
  let producer: KafkaProducer

  /// What became of one letter.
  enum Result: Sendable {
    /// Its record is on its topic again.
    case republished
    /// Its send waits for a new cycle of attempts.
    case reopened
    /// Its send needs none: it has been sent, or failed again later.
    case superseded(SendStatus)
    case refused(reason: String)

    var label: String {
      switch self {
      case .republished: "republished"
      case .reopened: "reopened"
      case .superseded: "superseded"
      case .refused: "refused"
      }
    }
  }

  /// Replays one letter.
  ///
  /// - Throws: `StoreError.conflict` when that is not possible, `KafkaError` when the record was not acknowledged.
  func replay(_ letter: FiledLetter) async throws -> Result {
    if let job = Self.exhaustedSend(letter) {
      switch try await store.reopen(letter, job) {
      case .reopened: return .reopened
      case .superseded(let status): return .superseded(status)
      }
    }
    try await producer.produce(try record(letter))
    try await store.mark([letter], .replay)
    return .republished
  }

  /// Replays many; one that cannot be replayed keeps none of the others back.
  func replay(_ letters: [FiledLetter]) async throws -> [(letter: FiledLetter, result: Result)] {
    var results: [(letter: FiledLetter, result: Result)] = []
    var records: [(letter: FiledLetter, record: KafkaRecord)] = []
    for letter in letters {
      do {
        if Self.exhaustedSend(letter) != nil {
          results.append((letter, try await replay(letter)))
        } else {
          records.append((letter, try record(letter)))
        }
      } catch let error as StoreError {
        results.append((letter, .refused(reason: "\(error)")))
      }
    }
    var published: [FiledLetter] = []
    for (entry, outcome) in zip(records, await producer.produce(records.map(\.record))) {
      switch outcome {
      case .success: published.append(entry.letter)
      case .failure(let error): results.append((entry.letter, .refused(reason: "\(error)")))
      }
    }
    try await store.mark(published, .replay)
    return results + published.map { ($0, .republished) }
  }

  private static func exhaustedSend(_ letter: FiledLetter) -> SendJob? {
    guard letter.topic == Topic.sendJobs.name, letter.errorClass == DeadLetterClass.attemptsExhausted,
      let value = letter.value
    else { return nil }
    return try? SendJob.decode(value)
  }

  /// The origin's record: its key, value and headers without those of the dead letter.
  private func record(_ letter: FiledLetter) throws -> KafkaRecord {
    guard letter.state.after(.replay) != nil else {
      throw StoreError.conflict(
        message: "a dead letter that is \(letter.state.rawValue) cannot be replayed",
        currentStatus: letter.state.rawValue, runID: nil)
    }
    guard let topic = Topic(rawValue: letter.topic), topic != .deadLetters else {
      throw StoreError.conflict(
        message: "its origin, the topic \"\(letter.topic)\", is none that is consumed",
        currentStatus: letter.state.rawValue, runID: nil)
    }
    return KafkaRecord(
      topic: topic.name, key: letter.key, value: letter.value,
      headers: letter.headers.filter { !$0.name.hasPrefix("dlq-") }.map { KafkaHeader(name: $0.name, value: $0.value) })
  }
}
