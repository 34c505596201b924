/// The product's processes: what each is called, listens on and reads. Declared here, so that the reference of all
/// settings is made from the same definitions that the processes run by.
extension ProcessDefinition {
  public static let apiGateway = ProcessDefinition(
    name: "api-gateway", summary: "REST API, webhooks and everything else that clients talk to", defaultPort: 3000,
    defaultLinger: 5
  ) { settings in
    settings.declare(CRMSettings.webhookSecrets)
    settings.declare(CRMSettings.idempotencyTTL)
    settings.declare(CRMSettings.handlerTimeout)
    settings.declare(CRMSettings.corsOrigins)
    settings.declare(CRMSettings.baseCurrency)
    settings.declare(CRMSettings.previewTimeout)
    settings.declare(CRMSettings.eventListeners)
    settings.declare(CRMSettings.replayRate)
    settings.declare(CRMSettings.authMode)
    settings.declare(CRMSettings.jwtSecrets)
    settings.declare(CRMSettings.jwtIssuer)
    settings.declare(CRMSettings.jwtAudience)
    settings.declare(CRMSettings.jwtLifetime)
    settings.declare(CRMSettings.jwtLeeway)
    settings.declare(CRMSettings.jwtPublicKey)
    settings.declare(CRMSettings.jwtPublicKeyFile)
    settings.declare(CRMSettings.jwtPublicKeyIssuer)
    settings.declare(CRMSettings.bootstrapAdminKey)
    settings.declare(CRMSettings.authCache)
    settings.declare(CRMSettings.apiRate)
    settings.declare(CRMSettings.addressRate)
    settings.declare(CRMSettings.webhookRate)
    settings.declare(CRMSettings.trustedProxies)
    settings.declare(CRMSettings.auditRetention)
  }

  public static let jobExpander = ProcessDefinition(
    name: "job-expander", summary: "freezes a campaign's audience and publishes its sends", defaultPort: 3004
  ) { settings in
    settings.declare(CRMSettings.kafkaSession)
    settings.declare(CRMSettings.chunkSize)
    settings.declare(CRMSettings.chunkConcurrency)
    settings.declare(CRMSettings.sendLagLimit)
    settings.declare(CRMSettings.launchLease)
    settings.declare(CRMSettings.claimLease)
    settings.declare(CRMSettings.sweepInterval)
    settings.declare(CRMSettings.sweepAfter)
    settings.declare(CRMSettings.sweepLease)
    settings.declare(CRMSettings.scheduleGrace)
  }

  public static let sendWorker = ProcessDefinition(
    name: "send-worker", summary: "calls messaging vendors and publishes what happened", defaultPort: 3005
  ) { settings in
    settings.declare(CRMSettings.kafkaSession)
    settings.declare(CRMSettings.vendorURL)
    settings.declare(CRMSettings.vendors)
    settings.declare(CRMSettings.vendorHonoursKeys)
    settings.declare(CRMSettings.vendorKeyLifetime)
    settings.declare(CRMSettings.vendorCanBeAsked)
    settings.declare(CRMSettings.vendorHeartbeat)
    settings.declare(CRMSettings.unknownDeadline)
    settings.declare(CRMSettings.sentAskAfter)
    settings.declare(CRMSettings.inquiryInterval)
    settings.declare(CRMSettings.rateLimit)
    settings.declare(CRMSettings.sendConcurrency)
    settings.declare(CRMSettings.sendBatch)
    settings.declare(CRMSettings.sendTimeout)
    settings.declare(CRMSettings.claimLease)
    settings.declare(CRMSettings.maxAttempts)
    settings.declare(CRMSettings.retryBase)
    settings.declare(CRMSettings.retryCap)
  }

  public static let receiptAggregator = ProcessDefinition(
    name: "receipt-aggregator", summary: "merges outcomes and receipts into the log and the statistics",
    defaultPort: 3006
  ) { settings in
    settings.declare(CRMSettings.kafkaSession)
    settings.declare(CRMSettings.mergeBatch)
    settings.declare(CRMSettings.mergeLinger)
  }

  public static let ingestWorker = ProcessDefinition(
    name: "ingest-worker", summary: "imports leads and orders handed over by the gateway", defaultPort: 3007
  ) { settings in
    settings.declare(CRMSettings.kafkaSession)
    settings.declare(CRMSettings.ingestBatch)
    settings.declare(CRMSettings.baseCurrency)
  }

  public static let vendorSim = ProcessDefinition(
    name: "vendor-sim",
    summary:
      "a messaging vendor to develop and test against: accepts messages, reports receipts later, misbehaves on request",
    defaultPort: 3001, usesDatabase: false, usesKafka: false
  ) { settings in
    settings.declare(CRMSettings.webhookSecrets)
    settings.declare(CRMSettings.ledgerPath)
    settings.declare(CRMSettings.receiptURL)
    settings.declare(CRMSettings.receiptConcurrency)
  }

  /// Every process, in the order of the data's way; the simulator last.
  public static let all = [apiGateway, jobExpander, sendWorker, receiptAggregator, ingestWorker, vendorSim]
}
