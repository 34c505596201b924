import CRMMessaging
import CRMStore
import CivilTime
import Foundation
import JSON
import Kafka
import Mongo
import Runtime

/// What the parts of a process are built from.
public struct ServiceContext: Sendable {
  public let definition: ProcessDefinition
  public let settings: Settings
  public let log: Logger
  public let clock: any WallClock
  public let metrics: MetricsRegistry
  public let instruments: Instruments
  public let health: HealthBoard
  /// Distinguishes replicas: host, process id and a random part. Owner of leases.
  public let instanceID: String
  public let startedAt: Timestamp
  /// Set by a part that cannot go on: the process stops in order and exits with 1, for its supervisor to start it again.
  public let failure = Latch<String>()
  /// Nil for a process that does not use MongoDB.
  public let database: MongoClient?
  private let collections: Store?
  /// Nil for a process that does not use Kafka.
  public let messaging: Messaging?

  /// The producer and the administration client of a process.
  public struct Messaging: Sendable {
    public let producer: KafkaProducer
    public let admin: KafkaAdmin
  }

  public init(definition: ProcessDefinition, settings: Settings) throws {
    self.definition = definition
    self.settings = settings
    clock = SystemClock()
    startedAt = clock.now()
    let log = Logger(service: definition.name, level: LogLevel(rawValue: settings[CRMSettings.logLevel]) ?? .info)
    self.log = log
    metrics = MetricsRegistry()
    instruments = Instruments(metrics, process: definition.name)
    health = HealthBoard()
    instanceID =
      "\(ProcessInfo.processInfo.hostName)/\(ProcessInfo.processInfo.processIdentifier)/"
      + String(UInt32.random(in: 0...UInt32.max), radix: 16)
    if definition.usesDatabase {
      var configuration = MongoClient.Configuration(
        uri: settings[CRMSettings.mongodbURI], database: settings[CRMSettings.mongodbDatabase])
      configuration.poolSize = settings[CRMSettings.mongodbPool]
      configuration.applicationName = definition.name
      // A request must not wait long for a server that is away; consumers try again by themselves.
      configuration.serverSelectionTimeoutMS = 1500
      configuration.connectTimeoutMS = 1500
      let database = try MongoClient(configuration)
      self.database = database
      collections = Store(mongo: database, clock: clock)
    } else {
      database = nil
      collections = nil
      health.report(.database, problem: nil)
    }
    if definition.usesKafka {
      let clientID = "\(settings[CRMSettings.kafkaClientID])-\(definition.name)"
      let brokers = settings[CRMSettings.kafkaBrokers]
      let kafkaLog = ServiceContext.kafkaLog(log)
      var producer = KafkaProducerConfiguration(brokers: brokers, clientID: clientID)
      producer.lingerMS = settings[definition.kafkaLinger]
      messaging = Messaging(
        producer: try KafkaProducer(producer, log: kafkaLog),
        admin: try KafkaAdmin(brokers: brokers, clientID: clientID, log: kafkaLog))
    } else {
      messaging = nil
      health.report(.kafka, problem: nil)
    }
  }

  /// The collections of the product.
  ///
  /// A process that declares that it uses no database must not ask for them.
  public var store: Store {
    guard let collections else { preconditionFailure("\(definition.name) declares that it uses no database") }
    return collections
  }

  public var kafka: Messaging {
    guard let messaging else { preconditionFailure("\(definition.name) declares that it uses no Kafka") }
    return messaging
  }

  /// Where this process buries records of a topic.
  public func deadLetters(of topic: Topic) -> DeadLetterPublisher {
    DeadLetterPublisher(
      producer: kafka.producer, group: topic.consumerGroup(prefix: settings[CRMSettings.kafkaGroupID]), clock: clock)
  }

  /// A consumer of a topic, and of others that share its group.
  ///
  /// - Parameters:
  ///   - highWater: records taken and not completed above which the partitions are paused.
  ///   - fetchWait: how long a few records may lie at the broker. An idle consumer asks again as often, and twenty times a
  ///     second is two to three percent of a core for a broker.
  public func consumer(
    of topic: Topic, _ others: Topic..., highWater: Int, fetchWait: Duration = .milliseconds(50)
  ) throws -> KafkaConsumer {
    var configuration = KafkaConsumerConfiguration(
      brokers: settings[CRMSettings.kafkaBrokers],
      groupID: topic.consumerGroup(prefix: settings[CRMSettings.kafkaGroupID]),
      clientID: "\(settings[CRMSettings.kafkaClientID])-\(definition.name)", topics: [topic.name] + others.map(\.name))
    configuration.highWater = highWater
    configuration.sessionTimeout = .milliseconds(settings[CRMSettings.kafkaSession])
    // A fetch waits a moment for more than a few records: each one costs the broker more than the records in it.
    configuration.fetchWait = fetchWait
    configuration.extra["fetch.min.bytes"] = "32768"
    return try KafkaConsumer(configuration, log: ServiceContext.kafkaLog(log))
  }

  /// Brokers that come and go are no error of the process: librdkafka tells of each reconnection.
  private static func kafkaLog(_ log: Logger) -> KafkaLogHandler {
    { level, facility, message in
      let fields: KeyValuePairs<String, JSONValue> = ["facility": .string(facility)]
      if level <= .error { log.warning("kafka: \(message)", fields) } else { log.debug("kafka: \(message)", fields) }
    }
  }
}
