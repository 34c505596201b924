import CRMMessaging
import HTTP
import JSON
import Kafka
import Runtime
import ServiceHost
import Synchronization

/// `/api/v1/status`
struct StatusHandlers: Sendable {
  private let gateway: Gateway
  private let lag: ConsumerLag

  init(gateway: Gateway) {
    self.gateway = gateway
    lag = ConsumerLag(
      admin: gateway.context.kafka.admin, groupPrefix: gateway.context.settings[CRMSettings.kafkaGroupID])
  }

  var routes: [Route] {
    [Route(.get, "/api/v1/status", "getStatus", operation: .getStatus, access: .scope(.statusRead), needs: [], show)]
  }

  private static let features: [JSONValue] = [
    "leads", "orders", "segments", "campaigns", "test-sends", "live-progress", "delivery-receipts", "dead-letters",
    "async-import", "csv-import", "csv-export", "idempotency-keys", "api-keys", "audit-log",
  ]

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let context = gateway.context
    let now = context.clock.now()
    return .data([
      "service": .string(context.definition.name), "version": .string(ProductVersion.current),
      "instance": .string(context.instanceID),
      "uptime_s": .double(Double(now.milliseconds - context.startedAt.milliseconds) / 1000),
      "timestamp": .string(now.description), "features": .array(StatusHandlers.features),
      "services": context.health.services, "consumer_lag": await lag.current(),
    ])
  }
}

/// How far each topic's consumers are behind. Asking the brokers takes a few round trips, so an answer serves everybody
/// for a moment, and while one is being fetched the last one does.
private final class ConsumerLag: Sendable {
  private static let validFor = Duration.seconds(2)
  private static let timeout = Duration.seconds(2)

  private struct State {
    var value: JSONValue = .object(JSONObject())
    var until = ContinuousClock.now
    var isFetching = false
  }

  private let admin: KafkaAdmin
  private let groupPrefix: String
  private let state = Mutex(State())

  init(admin: KafkaAdmin, groupPrefix: String) {
    self.admin = admin
    self.groupPrefix = groupPrefix
  }

  /// `{"<topic>":{"group","lag"}}`; a lag that the broker did not tell is null.
  func current() async -> JSONValue {
    let known: JSONValue? = state.withLock { state in
      if state.isFetching || ContinuousClock.now < state.until { return state.value }
      state.isFetching = true
      return nil
    }
    if let known { return known }
    let value = await fetch()
    state.withLock { $0 = State(value: value, until: .now + ConsumerLag.validFor) }
    return value
  }

  private func fetch() async -> JSONValue {
    let topics = Dictionary(grouping: Topic.allCases) { $0.consumerGroup(prefix: groupPrefix) }
    let lags = await withTaskGroup(of: (group: String, lags: [PartitionLag]?).self) { tasks in
      for (group, topics) in topics {
        tasks.addTask { [admin] in
          (group, try? await admin.groupLag(group: group, topics: topics.map(\.name), timeout: ConsumerLag.timeout))
        }
      }
      var found: [String: [PartitionLag]] = [:]
      for await (group, lags) in tasks { found[group] = lags }
      return found
    }
    var object = JSONObject()
    for topic in Topic.allCases {
      let group = topic.consumerGroup(prefix: groupPrefix)
      let partitions = lags[group]?.filter { $0.topic == topic.name }
      let sum = partitions.map { JSONValue.int($0.reduce(0) { $0 + $1.lag }) }
      object[topic.name] = ["group": .string(group), "lag": sum ?? .null]
    }
    return .object(object)
  }
}
