import CRdKafka
import Synchronization

/// What a client knows of its own state, for `/health`. It costs nothing to ask; `KafkaAdmin.ping` asks the broker.
public struct KafkaHealth: Sendable {
  /// Set once the client is beyond repair: close it and make a new one.
  public internal(set) var fatalError: KafkaError?
  /// The latest error the client reported; it may be long past.
  public internal(set) var lastError: KafkaError?
  /// When `lastError` was reported.
  public internal(set) var lastErrorAt: ContinuousClock.Instant?
  /// True from the report that every broker is down until one answers again (looked for once a second).
  public internal(set) var allBrokersDown = false

  public var isHealthy: Bool { fatalError == nil && !allBrokersDown }
}

/// The health of one client, written by callbacks of librdkafka and read by anyone.
final class HealthBoard: Sendable {
  private let state = Mutex(KafkaHealth())

  var snapshot: KafkaHealth { state.withLock { $0 } }
  var fatalError: KafkaError? { state.withLock { $0.fatalError } }
  var allBrokersDown: Bool { state.withLock { $0.allBrokersDown } }

  func report(_ error: KafkaError) {
    state.withLock { health in
      health.lastError = error
      health.lastErrorAt = .now
      if error.isFatal, health.fatalError == nil { health.fatalError = error }
      if error.code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue { health.allBrokersDown = true }
    }
  }

  /// A broker has answered.
  func reached() {
    state.withLock { $0.allBrokersDown = false }
  }
}
