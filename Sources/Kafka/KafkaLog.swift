/// The severity of a line of librdkafka's log, as in syslog: smaller is more severe.
public enum KafkaLogLevel: Int, Sendable, Comparable, CaseIterable {
  case emergency = 0
  case alert, critical, error, warning, notice, info, debug

  public static func < (one: KafkaLogLevel, other: KafkaLogLevel) -> Bool { one.rawValue < other.rawValue }

  init(syslog level: Int32) {
    self = KafkaLogLevel(rawValue: min(max(Int(level), 0), 7)) ?? .debug
  }
}

/// Receives log lines: severity, librdkafka's facility (such as `FAIL`, `REQTMOUT`) and the text.
///
/// Called from librdkafka's own threads, also from several at once: return quickly, and do not call back into the client.
public typealias KafkaLogHandler = @Sendable (_ level: KafkaLogLevel, _ facility: String, _ message: String) -> Void

/// Discards every line.
public let discardKafkaLog: KafkaLogHandler = { _, _, _ in }
