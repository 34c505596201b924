import Foundation
import Mongo

/// A stack that is up: where its parts are and which processes they are.
struct RunningStack: Sendable {
  let baseURL: String
  let webhookSecret: String
  /// Base URLs of the product's processes.
  let opsURLs: [String]
  /// MongoDB, the broker and the product's processes, as far as they run here.
  let processes: [MeasuredProcess]
  /// Which broker it is, in devstack's words.
  let broker: String

  private let mongodbURI: String
  private let database: String
  private let logs: URL

  /// - Parameters:
  ///   - env: shell lines of the form `export NAME='value'`.
  ///   - announcement: what `devstack up` said.
  init(env: URL, processes: URL, logs: URL, announcement: String) throws {
    var values: [Substring: String] = [:]
    for line in try String(contentsOf: env, encoding: .utf8).split(separator: "\n") {
      let parts = line.trimmingPrefix("export ").split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { continue }
      values[parts[0]] = String(parts[1].dropFirst().dropLast()).replacing("'\\''", with: "'")
    }
    func value(_ name: Substring) throws -> String {
      guard let value = values[name] else { throw BenchError("\(env.path) has no \(name)") }
      return value
    }
    baseURL = try value("BASE_URL")
    webhookSecret = try value("RECEIPT_WEBHOOK_SECRET")
    opsURLs = try value("OPS_URLS").split(separator: " ").map(String.init)
    mongodbURI = try value("MONGODB_URI")
    database = try value("MONGODB_DB_NAME")
    self.processes = MeasuredProcess.listed(in: processes)
    self.logs = logs
    // Without the directory: results are shown to others.
    broker =
      announcement.split(separator: "\n").first { $0.hasPrefix("broker: ") }
      .map { String($0.dropFirst("broker: ".count).split(separator: " from ")[0]) } ?? "unknown"
  }

  func mongoClient() async throws -> MongoClient {
    var configuration = MongoClient.Configuration(uri: mongodbURI, database: database)
    configuration.poolSize = 8
    configuration.applicationName = "minicrm-bench"
    return try MongoClient(configuration)
  }

  /// - Throws: `BenchError` with the last words of a process that has ended.
  func failIfAProcessEnded() throws {
    guard let process = processes.first(where: { !$0.isAlive }) else { return }
    let log = logs.appending(path: "\(process.name).log")
    let tail = (try? String(contentsOf: log, encoding: .utf8))?.split(separator: "\n").suffix(5).joined(separator: "\n")
    throw BenchError("\(process.name) has ended; the end of \(log.path):\n\(tail ?? "")")
  }
}
