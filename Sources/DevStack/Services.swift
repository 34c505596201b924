/// One of the product's processes, as the stack starts it.
struct ServiceKind: Sendable {
  let executable: String
  let usualPort: Int
  /// The environment variable that fixes the first replica's port.
  let portSetting: String
  /// The environment variable that says how many to start; nil for the one that may not be replicated.
  let replicasSetting: String?

  static let vendor = ServiceKind(
    executable: "vendor-sim", usualPort: 3001, portSetting: "VENDOR_PORT", replicasSetting: nil)
  static let gateway = ServiceKind(
    executable: "api-gateway", usualPort: 3000, portSetting: "PORT", replicasSetting: "GATEWAYS")

  /// In the order of their start.
  static let all = [
    vendor, gateway,
    ServiceKind(
      executable: "job-expander", usualPort: 3004, portSetting: "EXPANDER_PORT", replicasSetting: "EXPANDERS"),
    ServiceKind(
      executable: "send-worker", usualPort: 3005, portSetting: "SEND_WORKER_PORT", replicasSetting: "SEND_WORKERS"),
    ServiceKind(
      executable: "receipt-aggregator", usualPort: 3006, portSetting: "AGGREGATOR_PORT", replicasSetting: "AGGREGATORS"
    ),
    ServiceKind(
      executable: "ingest-worker", usualPort: 3007, portSetting: "INGEST_WORKER_PORT",
      replicasSetting: "INGEST_WORKERS"),
  ]

  /// How many to start: 1 unless the environment says otherwise, 0–32.
  func replicas(environment: [String: String]) throws -> Int {
    guard let replicasSetting, let text = environment[replicasSetting], !text.isEmpty else { return 1 }
    guard let count = Int(text), (0...32).contains(count) else {
      throw StackError("\(replicasSetting)=\(text): expected a number from 0 to 32")
    }
    return count
  }

  /// The name of a replica: `send-worker`, `send-worker-2`, …
  func name(replica: Int) -> String { replica == 1 ? executable : "\(executable)-\(replica)" }
}

/// A replica with its port, before it is started.
struct PlannedService: Sendable {
  let kind: ServiceKind
  let name: String
  let port: Int

  var url: String { "http://127.0.0.1:\(port)" }
}
