import CMongoC
import Synchronization

/// How grave a message of libmongoc is, from gravest to least.
public enum MongoLogLevel: UInt32, Sendable {
  case error, critical, warning, message, info, debug, trace
}

/// Process-wide state of libmongoc: its initialisation and its log.
public enum MongoLibrary {
  public typealias LogHandler = @Sendable (_ level: MongoLogLevel, _ domain: String, _ message: String) -> Void

  private static let handler = Mutex<LogHandler?>(nil)

  /// Routes libmongoc's own messages, for all clients of the process; nil, the default, discards them.
  ///
  /// The handler runs on whatever thread libmongoc is on and must not call into Mongo.
  public static func setLogHandler(_ new: LogHandler?) { handler.withLock { $0 = new } }

  /// Initialises libmongoc, once per process. It is never cleaned up: it lives as long as the process.
  static let initialised: Void = {
    // Before mongoc_init, which may already log.
    mongoc_log_set_handler(
      { level, domain, message, _ in
        guard let domain, let message else { return }
        MongoLibrary.log(level.rawValue, String(cString: domain), String(cString: message))
      }, nil)
    mongoc_init()
    _ = mongoc_handshake_data_append("minicrm", nil, nil)
  }()

  private static func log(_ level: UInt32, _ domain: String, _ message: String) {
    let current = handler.withLock { $0 }
    current?(MongoLogLevel(rawValue: level) ?? .message, domain, message)
  }
}
