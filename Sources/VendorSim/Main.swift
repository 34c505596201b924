import CRMMessaging
import HTTP
import Runtime
import ServiceHost

/// A messaging vendor to develop and test against.
@main
struct VendorSim {
  static func main() async {
    let simulator = Latch<Simulator>()
    await ServiceMain.run(
      .vendorSim,
      surface: { context in
        let made = try Simulator(context)
        simulator.set(made)
        return HTTPSurface(router: made.router(context))
      },
      services: { _ in await simulator.wait()?.services ?? [] })
  }
}

/// The parts of the process.
struct Simulator: Sendable {
  let ledger: Ledger
  let receipts: ReceiptDispatcher
  /// Below the 1,024 descriptors that a process usually may open.
  let held = HeldCalls(limit: 800)

  /// Reads the ledger; nothing is served meanwhile.
  ///
  /// - Throws: `FileError`, `WebhookSecretError`, `HTTPClientError`.
  init(_ context: ServiceContext) throws {
    let settings = context.settings
    let metrics = SimulatorMetrics(context.metrics)
    let concurrency = settings[CRMSettings.receiptConcurrency]
    ledger = try Ledger(
      path: settings[CRMSettings.ledgerPath], clock: context.clock, log: context.log, metrics: metrics)
    receipts = ReceiptDispatcher(
      ledger: ledger, client: try HTTPClient(maxConnectionsPerHost: concurrency, maxConcurrent: concurrency),
      webhook: try StandardWebhook(secrets: settings[CRMSettings.webhookSecrets]),
      address: settings[CRMSettings.receiptURL], concurrency: concurrency, clock: context.clock, log: context.log,
      metrics: metrics, registry: context.metrics)
  }

  var services: [any Service] { [ledger, receipts, held] }

  func router(_ context: ServiceContext) -> HTTPRouter {
    var router = HTTPRouter(errorRenderer: Problem.renderer)
    OperationsRoutes(context).register(in: &router)
    MessageRoutes(ledger: ledger, receipts: receipts, held: held, clock: context.clock).register(in: &router)
    ControlRoutes(ledger: ledger).register(in: &router)
    return router
  }
}
