import BSON
import CivilTime
import Mongo
import Runtime

/// The product's documents in MongoDB: one extension, in a file of its own, for each operation that deserves one.
///
/// Every operation is one blocking job on the client's threads, with as few round trips as its promise allows. All of
/// them throw `MongoError` when the server does not answer; what else they throw is said beside each. A process makes one.
public struct Store: Sendable {
  public let mongo: MongoClient
  public let clock: any WallClock
  /// Which of a run's counter documents each transaction adds to.
  let slots = StatsSlots()
  /// Whether every lead has the totals over its orders.
  let orderTotals = OrderTotalsState()
  /// How much of an audience is asked about at once.
  var audienceSizes = AudienceSlices.Sizes()

  public init(mongo: MongoClient, clock: any WallClock) {
    self.mongo = mongo
    self.clock = clock
  }
}

/// Names of the collections.
public enum Collections {
  public static let leads = "leads"
  public static let orders = "orders"
  public static let segments = "segments"
  public static let campaigns = "campaigns"
  public static let campaignRuns = "campaign_runs"
  public static let runStats = "run_stats"
  public static let audienceChunks = "audience_chunks"
  public static let communicationLogs = "communication_logs"
  public static let testSends = "test_sends"
  public static let parkedReceipts = "parked_receipts"
  public static let jobs = "jobs"
  public static let jobErrors = "job_errors"
  public static let deadLetters = "dead_letters"
  public static let users = "users"
  public static let apiKeys = "api_keys"
  public static let auditLog = "audit_log"
  public static let idempotencyKeys = "idempotency_keys"
  public static let revokedTokens = "revoked_tokens"
  public static let leases = "leases"
  public static let migrations = "migrations"
  public static let rateLimits = "rate_limits"
}
