import CRMMessaging
import CRMStore
import HTTP
import Kafka
import Runtime
import ServiceHost

/// What the gateway's handlers work with.
struct Gateway: Sendable {
  let context: ServiceContext
  let store: Store
  let producer: KafkaProducer
  let log: Logger
  let clock: any WallClock
  let access: AccessControl
  /// Verifies delivery receipts.
  let webhook: StandardWebhook
  /// ISO 4217 code in which money is summed.
  let baseCurrency: String
  /// How long a rule may be counted, in milliseconds.
  let previewTimeoutMS: Int
  /// The campaigns that clients listen to here.
  let feeds: CampaignFeeds

  init(_ context: ServiceContext) throws {
    self.context = context
    store = context.store
    producer = context.kafka.producer
    log = context.log
    clock = context.clock
    access = AccessControl(
      try AccessSettings(context.settings), store: context.store, clock: context.clock, health: context.health,
      limiter: RateLimiter(perMinute: context.settings[CRMSettings.apiRate]),
      localCaller: LocalCaller(origins: Set(context.settings[CRMSettings.corsOrigins])))
    webhook = try StandardWebhook(secrets: context.settings[CRMSettings.webhookSecrets])
    baseCurrency = context.settings[CRMSettings.baseCurrency]
    previewTimeoutMS = context.settings[CRMSettings.previewTimeout]
    feeds = CampaignFeeds(
      store: context.store, log: context.log, limit: context.settings[CRMSettings.eventListeners],
      gauge: context.instruments.eventListeners)
  }

  var audiences: Audiences { Audiences(store: store, clock: clock, timeoutMS: previewTimeoutMS) }

  /// For operations that need Kafka now and then.
  ///
  /// - Throws: `Problem` (503) while it is known to be away.
  func expectKafka() throws(Problem) {
    guard context.health.isConnected(.kafka) else { throw RouteRunner.isAway(.kafka) }
  }

  /// Every operation of the API, and their description.
  var routes: [Route] {
    let routes = operations
    return routes + DescriptionHandlers(of: routes).routes
  }

  private var operations: [Route] {
    LeadHandlers(gateway: self).routes + ExportHandlers(gateway: self).routes + LeadImportHandler(gateway: self).routes
      + OrderHandlers(gateway: self).routes
      + JobHandlers(gateway: self).routes
      + SegmentHandlers(gateway: self).routes + RuleHandlers(gateway: self).routes
      + CampaignHandlers(gateway: self).routes
      + CampaignRunHandlers(gateway: self).routes + CampaignEventHandlers(gateway: self).routes
      + TestSendHandlers(gateway: self).routes
      + AudienceHandlers(gateway: self).routes
      + DeadLetterHandlers(gateway: self).routes + ReceiptHandlers(gateway: self).routes
      + StatusHandlers(gateway: self).routes + DashboardHandlers(gateway: self).routes
      + AuthHandlers(gateway: self).routes
      + APIKeyHandlers(gateway: self).routes + AuditHandlers(gateway: self).routes
  }

  /// The router with the API and the operations routes of every process. All its own answers are problems.
  func router() -> HTTPRouter {
    var router = HTTPRouter { problem, request in Problem(problem).response(to: request) }
    OperationsRoutes(context).register(in: &router)
    let idempotency = idempotencyGate(lease: .seconds(2 * context.settings[CRMSettings.handlerTimeout]))
    RouteRunner(log: log, health: context.health, access: access, idempotency: idempotency, audit: audit)
      .register(routes, in: &router)
    return router
  }

  func idempotencyGate(lease: Duration) -> IdempotencyGate {
    IdempotencyGate(
      store: store, timeToLive: .seconds(context.settings[CRMSettings.idempotencyTTL]), lease: lease, log: log)
  }

  private var audit: AuditLog {
    let days = context.settings[CRMSettings.auditRetention]
    return AuditLog(
      store: store, clock: clock, keptFor: days == 0 ? nil : .seconds(days * 86_400), log: log,
      incomplete: context.instruments.auditIncomplete)
  }

  /// The middleware around a router.
  func responder(_ router: HTTPRouter) -> GatewayResponder {
    GatewayResponder(
      router: router, crossOrigin: CrossOriginPolicy(origins: context.settings[CRMSettings.corsOrigins]),
      limits: AddressLimits(context.settings), instruments: context.instruments, log: log)
  }
}
