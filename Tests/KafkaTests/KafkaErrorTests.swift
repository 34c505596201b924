import CRdKafka
import Testing

@testable import Kafka

@Suite struct KafkaErrorTests {
  @Test(arguments: [
    (RD_KAFKA_RESP_ERR__QUEUE_FULL.rawValue, KafkaError.Kind.queueFull, true),
    (RD_KAFKA_RESP_ERR__MSG_TIMED_OUT.rawValue, .timedOut, true),
    (RD_KAFKA_RESP_ERR__TRANSPORT.rawValue, .unavailable, true),
    (RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE.rawValue, .messageTooLarge, false),
    (RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.rawValue, .unknownTopic, false),
    (RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED.rawValue, .notAuthorised, false),
    (RD_KAFKA_RESP_ERR__FATAL.rawValue, .fatal, false), (RD_KAFKA_RESP_ERR__DESTROY.rawValue, .closed, false),
    (RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, .invalidConfiguration, false),
    (RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE.rawValue, .unsupported, false),
    (RD_KAFKA_RESP_ERR__FAIL.rawValue, .other, false),
  ])
  func codesAreSortedByWhatTheCallerCanDo(
    _ code: Int32, _ kind: KafkaError.Kind, _ retriable: Bool
  ) {
    let error = KafkaError(code: rd_kafka_resp_err_t(code))
    #expect(error.kind == kind && error.isRetriable == retriable && error.isFatal == (kind == .fatal))
    #expect(!error.name.isEmpty && error.description.hasPrefix(error.name))
  }

  @Test(arguments: [
    ("a", true), ("campaign.send_jobs-1", true), ("", false), ("..", false), ("a b", false), ("ä", false),
  ])
  func topicNamesAreCheckedBeforeTheBrokerIsAsked(_ name: String, _ allowed: Bool) {
    #expect(isTopicName(name) == allowed)
    #expect(isTopicName(String(repeating: "x", count: 249)) && !isTopicName(String(repeating: "x", count: 250)))
  }
}
