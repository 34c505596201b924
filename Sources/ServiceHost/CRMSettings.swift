import CRMCore
import Runtime

/// Every setting of every process, declared once.
///
/// `ProcessDefinition.settings` says which process reads which; `--help`, the configuration reference and the example
/// environment file are made from these declarations.
public enum CRMSettings {
  // MARK: Every process

  /// Each process has its own default; see `port(default:)`.
  public static func port(default fallback: Int) -> Setting<Int> {
    .int("PORT", default: fallback, in: 0...65_535, "Port that the process listens on; 0 picks a free one.")
  }

  public static let host = Setting.text("HOST", default: "0.0.0.0", "Address that the process listens on.")
  public static let logLevel = Setting.text(
    "LOG_LEVEL", default: "info", oneOf: LogLevel.allCases.map(\.rawValue), "Least severe log line that is written.")
  public static let mongodbURI = Setting.url(
    "MONGODB_URI", default: "mongodb://localhost:27017/?replicaSet=rs0", schemes: ["mongodb", "mongodb+srv"],
    "MongoDB connection string; a replica set, since transactions are used.")
  public static let mongodbDatabase = Setting.text("MONGODB_DB_NAME", default: "mini_crm", "MongoDB database.")
  public static let mongodbPool = Setting.int(
    "MONGODB_POOL_SIZE", default: 12, in: 1...256, "Connections, and threads that use them, per process.")
  public static let kafkaBrokers = Setting.text(
    "KAFKA_BROKERS", default: "localhost:19092", "Kafka bootstrap servers, comma-separated host:port.")
  public static let kafkaClientID = Setting.text(
    "KAFKA_CLIENT_ID", default: "minicrm", "Client id shown in the broker's logs; the process name is appended.")
  public static let kafkaGroupID = Setting.text(
    "KAFKA_GROUP_ID", default: "minicrm", "Prefix of the consumer groups; the process name is appended.")
  /// Each process has its own default; see `ProcessDefinition`.
  public static func kafkaLinger(default fallback: Int) -> Setting<Int> {
    .int(
      "KAFKA_LINGER_MS", default: fallback, in: 0...1000,
      "Milliseconds for which a record waits for others to share its request with.")
  }
  public static let kafkaSession = Setting.int(
    "KAFKA_SESSION_TIMEOUT_MS", default: 10_000, in: 1000...300_000,
    "Milliseconds without a sign of life after which a consumer's partitions go to others. Brokers allow 6000 and more unless "
      + "told otherwise.")
  public static let topicPartitions = Setting.int(
    "KAFKA_TOPIC_PARTITIONS", default: 6, in: 1...512, "Partitions of a topic that is created at start.")
  public static let topicReplication = Setting.int(
    "KAFKA_TOPIC_REPLICATION", default: 1, in: 1...7, "Replicas of a topic that is created at start.")

  /// What every process declares, beside its port.
  public static var common: [@Sendable (inout Settings) -> Void] {
    [
      { $0.declare(host) }, { $0.declare(logLevel) }, { $0.declare(mongodbURI) }, { $0.declare(mongodbDatabase) },
      { $0.declare(mongodbPool) }, { $0.declare(kafkaBrokers) }, { $0.declare(kafkaClientID) },
      { $0.declare(kafkaGroupID) }, { $0.declare(topicPartitions) },
      { $0.declare(topicReplication) },
    ]
  }

  // MARK: Gateway

  public static let webhookSecrets = Setting.list(
    "RECEIPT_WEBHOOK_SECRET", default: nil, isSecret: true,
    "Secrets of delivery receipts, `whsec_` and base64, comma-separated; the first one signs."
  ) { $0.hasPrefix("whsec_") ? nil : "each secret begins with whsec_" }
  public static let idempotencyTTL = Setting.int(
    "IDEMPOTENCY_TTL_S", default: 86_400, in: 60...2_592_000, "Seconds for which an Idempotency-Key is remembered.")
  public static let handlerTimeout = Setting.int(
    "HANDLER_TIMEOUT_S", default: 30, in: 1...600, "Seconds after which a request is answered 503.")
  public static let corsOrigins = Setting.list(
    "CORS_ORIGINS", default: "http://localhost:3000", "Origins that browsers may call from; `*` for any.")
  public static let baseCurrency = Setting.text(
    "BASE_CURRENCY", default: "USD", "ISO 4217 code in which money is summed and compared.")
  public static let previewTimeout = Setting.int(
    "PREVIEW_TIMEOUT_MS", default: 10_000, in: 100...300_000, "Milliseconds that a segment's preview may take.")

  public static let eventListeners = Setting.int(
    "EVENT_LISTENERS", default: 5000, in: 1...100_000,
    "Clients that may listen to campaigns (server-sent events) at one gateway at once.")
  public static let replayRate = Setting.int(
    "DLQ_REPLAY_PER_MINUTE", default: 6000, in: 1...1_000_000,
    "Dead letters replayed a minute at most, over all clients and replicas.")

  // MARK: Access to the gateway

  public static let authMode = Setting.text(
    "AUTH_MODE", default: "required", oneOf: ["required", "off"],
    "Whether callers need an API key or a token; off only where HOST is a loopback address.")
  public static let jwtSecrets = Setting.list(
    "JWT_SECRET", default: "", isSecret: true,
    "Secrets of tokens made here (HS256), of at least 32 bytes each, comma-separated; the first one signs. Required "
      + "unless AUTH_MODE is off."
  ) { $0.utf8.count >= 32 ? nil : "each secret has at least 32 bytes" }
  public static let jwtIssuer = Setting.text("JWT_ISSUER", default: "minicrm", "Issuer (`iss`) of tokens made here.")
  public static let jwtAudience = Setting.text(
    "JWT_AUDIENCE", default: "minicrm", "Audience (`aud`) that every token must name.")
  public static let jwtLifetime = Setting.int(
    "JWT_LIFETIME_S", default: 900, in: 60...86_400, "Seconds that a token made here lives at most.")
  public static let jwtLeeway = Setting.int(
    "JWT_LEEWAY_S", default: 30, in: 0...300, "Seconds that the clock of a token's issuer may be off.")
  public static let jwtPublicKey = Setting.text(
    "JWT_PUBLIC_KEY", default: "",
    "Public key in PEM, RSA (RS256) or P-256 (ES256), of another issuer whose tokens are accepted.")
  public static let jwtPublicKeyFile = Setting.text(
    "JWT_PUBLIC_KEY_FILE", default: "", "File with such a key, instead of JWT_PUBLIC_KEY.")
  public static let jwtPublicKeyIssuer = Setting.text(
    "JWT_PUBLIC_KEY_ISSUER", default: "", "Issuer (`iss`) that the public key speaks for; required beside it.")
  public static let bootstrapAdminKey = Setting.secret(
    "BOOTSTRAP_ADMIN_KEY", default: "", minimumLength: 32,
    "Key that can make the first API key, and nothing else; refused once there is a key that can make keys.")
  public static let authCache = Setting.int(
    "AUTH_CACHE_S", default: 5, in: 0...60,
    "Seconds for which the database's word on a credential is believed: a revocation takes that long at most.")
  public static let apiRate = Setting.int(
    "API_RATE_PER_MINUTE", default: 6000, in: 0...10_000_000,
    "Requests a minute of one credential, counted by each gateway; 0: no limit.")
  public static let addressRate = Setting.int(
    "API_RATE_PER_ADDRESS", default: 12_000, in: 0...10_000_000,
    "Requests a minute from one address, counted by each gateway; 0: no limit.")
  public static let webhookRate = Setting.int(
    "WEBHOOK_RATE_PER_ADDRESS", default: 0, in: 0...10_000_000,
    "Requests with receipts a minute from one address, counted by each gateway; 0: no limit.")
  public static let trustedProxies = Setting.list(
    "TRUSTED_PROXIES", default: "",
    "Addresses and ranges (10.0.0.0/8) of proxies whose X-Forwarded-For says who the client is.")
  public static let auditRetention = Setting.int(
    "AUDIT_RETENTION_DAYS", default: 365, in: 0...36_500, "Days for which the audit log is kept; 0: for ever.")

  // MARK: Expander

  public static let chunkSize = Setting.int(
    "CHUNK_SIZE", default: 1000, in: 1...1000, "Leads in a chunk of the frozen audience.")
  public static let chunkConcurrency = Setting.int(
    "CHUNK_CONCURRENCY", default: 3, in: 1...64, "Chunks that one job-expander expands at once.")
  public static let sendLagLimit = Setting.int(
    "SEND_LAG_LIMIT", default: 50_000, in: 1000...100_000_000,
    "Unsent records on campaign.send_jobs above which expansion waits.")
  public static let sweepInterval = Setting.int(
    "SWEEP_INTERVAL_MS", default: 1000, in: 50...600_000, "Milliseconds between two sweeps for work that got lost.")
  public static let sweepAfter = Setting.int(
    "SWEEP_AFTER_S", default: 60, in: 1...86_400,
    "Seconds without progress after which a launch, a chunk or a send is published again.")
  public static let sweepLease = Setting.int(
    "SWEEP_LEASE_S", default: 15, in: 1...600,
    "Seconds for which one job-expander owns the sweeping; after its death another one waits as long.")
  public static let launchLease = Setting.int(
    "LAUNCH_LEASE_S", default: 15, in: 1...600, "Seconds for which one job-expander owns the freezing of an audience.")

  public static let scheduleGrace = Setting.int(
    "SCHEDULE_GRACE_S", default: 3600, in: 1...604_800,
    "Seconds after its time until which a schedule that was missed still runs without asking.")

  // MARK: Sender

  public static let vendorURL = Setting.url(
    "VENDOR_SIMULATOR_URL", default: "http://localhost:3001", schemes: ["http", "https"], "Base URL of the simulator.")
  public static let vendors = Setting.list(
    "VENDORS", default: "",
    "Vendors in the order in which they are tried, `name=url` each, with `keys`, `key_lifetime_s`, `ask`, `channels`, "
      + "`rate`, `concurrency` and `live` as query parameters of the URL; empty: the simulator alone.",
    check: { entry in
      do throws(VendorTerms.Malformed) {
        _ = try VendorTerms(parsing: entry)
        return nil
      } catch {
        return error.description
      }
    },
    checkAll: { entries in
      let terms = entries.compactMap { try? VendorTerms(parsing: $0) }
      if Set(terms.map(\.name)).count < terms.count { return "two vendors have the same name" }
      let unserved = Channel.allCases.filter { channel in !terms.contains { $0.channels.contains(channel) } }
      return unserved.isEmpty ? nil : "no vendor serves \(unserved.map(\.rawValue).joined(separator: ", "))"
    })
  public static let vendorHonoursKeys = Setting.bool(
    "VENDOR_HONOURS_KEYS", default: true,
    "Whether the simulator, when it is the only vendor, makes no second message of a call repeated under its key.")
  public static let vendorKeyLifetime = Setting.int(
    "VENDOR_KEY_LIFETIME_S", default: 86_400, in: 1...31_536_000,
    "Seconds for which the simulator, when it is the only vendor, honours a key.")
  public static let vendorCanBeAsked = Setting.bool(
    "VENDOR_CAN_BE_ASKED", default: true,
    "Whether the simulator, when it is the only vendor, can be asked what a send id made.")
  public static let vendorHeartbeat = Setting.int(
    "VENDOR_HEARTBEAT_S", default: 60, in: 1...3600, "Seconds between two questions whether a vendor answers.")
  public static let rateLimit = Setting.int(
    "RATE_LIMIT_PER_MINUTE", default: 0, in: 0...10_000_000,
    "Messages a minute for each vendor and channel that has no limit of its own, over all replicas; 0: none.")
  public static let sendConcurrency = Setting.int(
    "SEND_CONCURRENCY", default: 128, in: 1...4096,
    "Calls that one send-worker has in flight for each vendor and channel.")
  public static let unknownDeadline = Setting.int(
    "UNKNOWN_DEADLINE_S", default: 900, in: 1...604_800,
    "Seconds after which an UNKNOWN send that nothing resolved is sent again, in campaigns that are at_least_once.")
  public static let sentAskAfter = Setting.int(
    "SENT_ASK_AFTER_S", default: 900, in: 1...604_800,
    "Seconds without a receipt after which a vendor is asked what became of a message it took.")
  public static let inquiryInterval = Setting.int(
    "INQUIRY_INTERVAL_MS", default: 1000, in: 50...600_000, "Milliseconds between two rounds of questions to vendors.")
  public static let sendBatch = Setting.int(
    "SEND_BATCH", default: 500, in: 1...1000, "Sends that are claimed in one round trip at most.")
  public static let sendTimeout = Setting.int(
    "SEND_TIMEOUT_MS", default: 10_000, in: 100...120_000, "Milliseconds for one vendor call.")
  public static let claimLease = Setting.int(
    "CLAIM_LEASE_S", default: 60, in: 2...3600,
    "Seconds after which a claimed send without outcome counts as UNKNOWN; above twice the vendor call's time.")
  public static let maxAttempts = Setting.int(
    "SEND_MAX_ATTEMPTS", default: 5, in: 1...20, "Vendor calls for one send before it is FAILED.")
  public static let retryBase = Setting.int(
    "RETRY_BASE_MS", default: 500, in: 1...600_000, "Base of the retries' exponential backoff, in milliseconds.")
  public static let retryCap = Setting.int(
    "RETRY_CAP_MS", default: 60_000, in: 1...86_400_000, "Longest wait between two attempts, in milliseconds.")

  // MARK: Aggregator and importer

  public static let mergeBatch = Setting.int(
    "MERGE_BATCH", default: 1000, in: 1...5000, "Outcomes and receipts merged in one transaction at most.")
  public static let mergeLinger = Setting.int(
    "MERGE_LINGER_MS", default: 150, in: 0...5000, "Milliseconds to wait for a merge's batch to fill.")
  public static let ingestBatch = Setting.int(
    "INGEST_BATCH", default: 1000, in: 1...5000, "Rows imported in one round trip at most.")

  // MARK: Simulator

  public static let ledgerPath = Setting.text(
    "LEDGER_PATH", default: "vendor-ledger.ndjson", "File of the simulator's ledger.")
  public static let receiptURL = Setting.url(
    "RECEIPT_URL", default: "http://localhost:3000/api/v1/delivery/receipt", schemes: ["http", "https"],
    "Where the simulator sends receipts when a message names no callback_url.")
  public static let receiptConcurrency = Setting.int(
    "RECEIPT_CONCURRENCY", default: 128, in: 1...4096, "Receipts that the simulator has in flight.")
}
