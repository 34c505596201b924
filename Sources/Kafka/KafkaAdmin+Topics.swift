import CRdKafka

/// A topic to create.
public struct TopicSpec: Sendable, Hashable {
  public var name: String
  public var partitions: Int
  /// How many brokers keep a copy; -1 for the broker's default.
  public var replication: Int
  /// Topic settings by Kafka's names, such as `retention.ms`.
  public var config: [String: String]

  public init(name: String, partitions: Int, replication: Int = 1, config: [String: String] = [:]) {
    self.name = name
    self.partitions = partitions
    self.replication = replication
    self.config = config
  }
}

/// What became of a topic that was to be created.
public struct TopicCreation: Sendable, Equatable {
  public enum Outcome: Sendable, Equatable {
    case created
    /// It was there before, with whatever partitions and settings it has.
    case exists
    /// `.notAuthorised`: an operator has to create it. `.unsupported`: this broker has no such call (the embedded one
    /// has its own). `.unavailable`, `.timedOut`: try again.
    case failed(KafkaError)
  }

  public let name: String
  public let outcome: Outcome

  public init(name: String, outcome: Outcome) {
    self.name = name
    self.outcome = outcome
  }

  /// Whether the topic can be used.
  public var isUsable: Bool {
    switch outcome {
    case .created, .exists: true
    case .failed: false
    }
  }
}

/// The topics of a cluster as a broker tells them.
public struct ClusterMetadata: Sendable, Equatable {
  /// Partition numbers by topic, in order.
  public let topics: [String: [Int32]]
  /// The ids of the brokers that are up.
  public let brokerIDs: [Int32]
}

extension KafkaAdmin {
  /// Creates topics; one that exists is fine.
  ///
  /// - Returns: an outcome for each topic, in their order.
  /// - Throws: `.closed` only; what goes wrong with the broker is in the outcomes.
  public func createTopics(
    _ topics: [TopicSpec], timeout: Duration = .seconds(10)
  ) async throws(KafkaError) -> [TopicCreation] {
    guard !topics.isEmpty else { return [] }
    return try await blocking { [client] in createTopicsBlocking(topics, client: client.pointer, timeout: timeout) }
  }

  /// The topics there are, or only the one named. Asking creates nothing.
  ///
  /// - Throws: `.unavailable`, `.timedOut`, `.closed`.
  public func metadata(topic: String? = nil, timeout: Duration = .seconds(5)) async throws(KafkaError)
    -> ClusterMetadata
  {
    try await blocking { [client] in
      let all = try metadataBlocking(client: client.pointer, timeout: timeout)
      guard let topic else { return all }
      return ClusterMetadata(topics: all.topics.filter { $0.key == topic }, brokerIDs: all.brokerIDs)
    }
  }
}

private func createTopicsBlocking(
  _ topics: [TopicSpec], client: OpaquePointer, timeout: Duration
) -> [TopicCreation] {
  let deadline = ContinuousClock.now + timeout
  do throws(KafkaError) {
    // Asked first, so that a broker which lets nobody create topics is fine when they are there.
    let cluster = try metadataBlocking(client: client, timeout: timeout)
    let missing = topics.filter { cluster.topics[$0.name] == nil }
    guard !missing.isEmpty else { return topics.map { TopicCreation(name: $0.name, outcome: .exists) } }
    let controller = rd_kafka_controllerid(client, max(.zero, deadline - .now).wholeMilliseconds)
    guard controller < 0 || cluster.brokerIDs.contains(controller) else {
      throw KafkaError(
        code: RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, message: "the cluster has no controller to create topics")
    }
    let outcomes = request(missing, client: client, timeout: max(.milliseconds(1), deadline - .now))
    return topics.map { TopicCreation(name: $0.name, outcome: outcomes[$0.name] ?? .exists) }
  } catch {
    return topics.map { TopicCreation(name: $0.name, outcome: .failed(error)) }
  }
}

private func request(
  _ topics: [TopicSpec], client: OpaquePointer, timeout: Duration
) -> [String: TopicCreation.Outcome] {
  var outcomes: [String: TopicCreation.Outcome] = [:]
  var requests: [OpaquePointer?] = []
  defer { for request in requests { rd_kafka_NewTopic_destroy(request) } }
  for topic in topics where outcomes[topic.name] == nil {
    var text = [CChar](repeating: 0, count: 256)
    let partitions = Int32(clamping: topic.partitions)
    let made = rd_kafka_NewTopic_new(topic.name, partitions, Int32(clamping: topic.replication), &text, text.count)
    guard let made else {
      outcomes[topic.name] = .failed(.invalidConfiguration(text.withUnsafeBufferPointer { string(in: $0) }))
      continue
    }
    for (name, value) in topic.config.sorted(by: { $0.key < $1.key }) {
      rd_kafka_NewTopic_set_config(made, name, value)
    }
    outcomes[topic.name] = .failed(
      KafkaError(code: RD_KAFKA_RESP_ERR__TIMED_OUT, message: "no answer about this topic"))
    requests.append(made)
  }
  guard !requests.isEmpty else { return outcomes }
  switch send(&requests, client: client, timeout: timeout) {
  case .success(let answers):
    outcomes.merge(answers) { _, answer in answer }
  case .failure(let error):
    outcomes = outcomes.mapValues { _ in .failed(error) }
  }
  return outcomes
}

/// Sends the request and waits: the broker's answer by topic, or why there is none.
private func send(
  _ requests: inout [OpaquePointer?], client: OpaquePointer, timeout: Duration
) -> Result<[String: TopicCreation.Outcome], KafkaError> {
  let queue = rd_kafka_queue_new(client)
  defer { rd_kafka_queue_destroy(queue) }
  let options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)
  defer { rd_kafka_AdminOptions_destroy(options) }
  let milliseconds = max(1, timeout.wholeMilliseconds)
  rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
  // How long the broker waits until the topic is known everywhere; without it, it answers before.
  rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, nil, 0)
  rd_kafka_CreateTopics(client, &requests, requests.count, options, queue)
  guard let event = rd_kafka_queue_poll(queue, milliseconds &+ 1000) else {
    return .failure(KafkaError(code: RD_KAFKA_RESP_ERR__TIMED_OUT))
  }
  defer { rd_kafka_event_destroy(event) }
  let code = rd_kafka_event_error(event)
  guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let result = rd_kafka_event_CreateTopics_result(event) else {
    return .failure(describeError(of: client, code: code, reason: rd_kafka_event_error_string(event)))
  }
  var count = 0
  let list = rd_kafka_CreateTopics_result_topics(result, &count)
  var answers: [String: TopicCreation.Outcome] = [:]
  for topic in UnsafeBufferPointer(start: list, count: list == nil ? 0 : count) {
    let text = rd_kafka_topic_result_error_string(topic).map { String(cString: $0) }
    let outcome: TopicCreation.Outcome
    switch rd_kafka_topic_result_error(topic) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: outcome = .created
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: outcome = .exists
    case let code: outcome = .failed(KafkaError(code: code, message: text))
    }
    answers[String(cString: rd_kafka_topic_result_name(topic))] = outcome
  }
  return .success(answers)
}

/// Blocks for at most `timeout`.
func metadataBlocking(client: OpaquePointer, timeout: Duration) throws(KafkaError) -> ClusterMetadata {
  var metadata: UnsafePointer<rd_kafka_metadata>?
  let code = rd_kafka_metadata(client, 1, nil, &metadata, max(1, timeout.wholeMilliseconds))
  guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw KafkaError(code: code) }
  defer { rd_kafka_metadata_destroy(metadata) }
  var topics: [String: [Int32]] = [:]
  for topic in UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt)) {
    guard topic.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
    let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
    topics[String(cString: topic.topic)] = partitions.map(\.id).sorted()
  }
  let brokers = UnsafeBufferPointer(start: metadata.pointee.brokers, count: Int(metadata.pointee.broker_cnt))
  return ClusterMetadata(topics: topics, brokerIDs: brokers.map(\.id).sorted())
}
