import CRdKafka
import Synchronization

/// A rebalance as the group announced it, waiting for the consumer's thread to carry it out.
struct Rebalance: Sendable {
  enum Kind: Sendable {
    case assign
    case revoke
    case failed(KafkaError)
  }

  let kind: Kind
  let partitions: [TopicPartition]
}

/// What librdkafka's callbacks of one client write to; the client's `opaque`.
///
/// The C client holds one reference from `rd_kafka_new` until it has been destroyed, so callbacks never meet a dead one.
final class ClientContext: Sendable {
  let health = HealthBoard()
  let log: KafkaLogHandler
  private let rebalances = Mutex<[Rebalance]>([])

  init(log: @escaping KafkaLogHandler) {
    self.log = log
  }

  /// Takes the rebalances announced since the last call, oldest first.
  func takeRebalances() -> [Rebalance] {
    rebalances.withLock { list in
      defer { list = [] }
      return list
    }
  }

  func report(_ error: KafkaError) {
    health.report(error)
    log(error.isFatal ? .critical : .warning, "ERROR", error.description)
  }

  /// Sets the callbacks of `configuration`; `rebalances` for consumers only.
  func install(in configuration: OpaquePointer, rebalances: Bool) {
    rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
    rd_kafka_conf_set_log_cb(configuration) { client, level, facility, text in
      guard let client, let opaque = rd_kafka_opaque(client), let facility = facility.map({ String(cString: $0) }),
        let text
      else { return }
      let context = Unmanaged<ClientContext>.fromOpaque(opaque).takeUnretainedValue()
      // With each refresh of metadata, an old broker's inability not to create topics: nothing to act on.
      let level = facility == "AUTOCREATE" ? .debug : KafkaLogLevel(syslog: level)
      context.log(level, facility, String(cString: text))
    }
    guard rebalances else { return }
    rd_kafka_conf_set_error_cb(configuration) { client, code, reason, opaque in
      guard let client, let opaque else { return }
      let context = Unmanaged<ClientContext>.fromOpaque(opaque).takeUnretainedValue()
      context.report(describeError(of: client, code: rd_kafka_resp_err_t(code), reason: reason))
    }
    // The callback only notes what is asked and makes the poll return; the consumer's loop answers with
    // `rd_kafka_assign`. A drain can then wait without librdkafka's frames below it, and the loop reads from the top.
    rd_kafka_conf_set_rebalance_cb(configuration) { client, code, list, opaque in
      guard let client, let opaque else { return }
      let context = Unmanaged<ClientContext>.fromOpaque(opaque).takeUnretainedValue()
      let kind: Rebalance.Kind
      switch code {
      case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: kind = .assign
      case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS: kind = .revoke
      default: kind = .failed(KafkaError(code: code))
      }
      let rebalance = Rebalance(kind: kind, partitions: partitions(in: list))
      context.rebalances.withLock { $0.append(rebalance) }
      rd_kafka_yield(client)
    }
  }
}

/// The error of an error event or callback; a fatal one is replaced by its cause.
func describeError(
  of client: OpaquePointer, code: rd_kafka_resp_err_t, reason: UnsafePointer<CChar>?
) -> KafkaError {
  guard code == RD_KAFKA_RESP_ERR__FATAL else {
    return KafkaError(code: code, message: reason.map { String(cString: $0) })
  }
  var text = [CChar](repeating: 0, count: 512)
  let cause = rd_kafka_fatal_error(client, &text, text.count)
  return .fatal(cause: cause, message: text.withUnsafeBufferPointer { string(in: $0) })
}

/// The text of a C buffer up to its terminator.
func string(in buffer: UnsafeBufferPointer<CChar>) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
