import CivilTime
import Foundation
import JSON
import Synchronization

public enum LogLevel: String, CaseIterable, Sendable, Comparable {
  case debug, info, warning, error

  private var severity: Int {
    switch self {
    case .debug: 0
    case .info: 1
    case .warning: 2
    case .error: 3
    }
  }

  public static func < (left: LogLevel, right: LogLevel) -> Bool { left.severity < right.severity }
}

/// The names of fields in log lines, in one place so that every process spells them alike.
public enum LogKey {
  public static let requestID = "request_id"
  public static let campaignID = "campaign_id"
  public static let runID = "run_id"
  public static let sendID = "send_id"
  public static let traceparent = "traceparent"
  public static let topic = "topic"
  public static let partition = "partition"
  public static let offset = "offset"
  public static let error = "error"
  public static let count = "count"
  public static let durationMS = "duration_ms"
}

/// Writes one JSON object a line: `time`, `level`, `service`, `message`, then the fields.
///
/// A value type: `with` gives a logger that adds fields to each of its lines. Lines go out whole, one `write` each.
public struct Logger: Sendable {
  /// Where lines go; standard output unless a test says otherwise.
  public typealias Sink = @Sendable ([UInt8]) -> Void

  public let level: LogLevel
  private let service: String
  private let fields: [(String, JSONValue)]
  private let clock: any WallClock
  private let sink: Sink

  public init(
    service: String, level: LogLevel = .info, clock: any WallClock = SystemClock(),
    sink: @escaping Sink = Logger.standardOutput
  ) {
    self.init(service: service, level: level, fields: [], clock: clock, sink: sink)
  }

  private init(
    service: String, level: LogLevel, fields: [(String, JSONValue)], clock: any WallClock, sink: @escaping Sink
  ) {
    self.service = service
    self.level = level
    self.fields = fields
    self.clock = clock
    self.sink = sink
  }

  /// A logger that adds these fields to each line.
  public func with(_ added: KeyValuePairs<String, JSONValue>) -> Logger {
    Logger(
      service: service, level: level, fields: fields + added.map { ($0.key, $0.value) }, clock: clock, sink: sink)
  }

  public func debug(_ message: String, _ fields: KeyValuePairs<String, JSONValue> = [:]) {
    write(.debug, message, fields)
  }

  public func info(_ message: String, _ fields: KeyValuePairs<String, JSONValue> = [:]) {
    write(.info, message, fields)
  }

  public func warning(_ message: String, _ fields: KeyValuePairs<String, JSONValue> = [:]) {
    write(.warning, message, fields)
  }

  public func error(_ message: String, _ fields: KeyValuePairs<String, JSONValue> = [:]) {
    write(.error, message, fields)
  }

  private func write(_ level: LogLevel, _ message: String, _ added: KeyValuePairs<String, JSONValue>) {
    guard level >= self.level else { return }
    var writer = JSONWriter()
    writer.beginObject()
    writer.field("time", clock.now().description)
    writer.field("level", level.rawValue)
    writer.field("service", service)
    writer.field("message", message)
    for (key, value) in fields { writer.field(key, value) }
    for (key, value) in added { writer.field(key, value) }
    writer.endObject()
    sink(writer.bytes + [0x0A])
  }

  private static let outputLock = Mutex(())

  /// Writes to descriptor 1 whole lines at a time. A closed or full pipe loses the line, never the process.
  @Sendable public static func standardOutput(_ line: [UInt8]) {
    outputLock.withLock { _ in
      line.withUnsafeBytes { buffer in
        var written = 0
        while written < buffer.count {
          let count = Foundation.write(1, buffer.baseAddress! + written, buffer.count - written)
          if count < 0, errno == EINTR { continue }
          guard count > 0 else { return }
          written += count
        }
      }
    }
  }
}
