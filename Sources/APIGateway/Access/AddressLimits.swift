import HTTP
import Runtime
import ServiceHost

/// Limits by address, for everybody who asks, before anybody is asked who he is.
///
/// What operators and their tools ask (`/health`, `/ready`, `/metrics`) is not limited. Vendors' webhooks have a limit of
/// their own: a campaign's receipts must not use up what people may ask, nor the other way round.
struct AddressLimits: Sendable {
  private static let operations: Set<String> = ["/health", "/ready", "/metrics"]

  let address: ClientAddress
  private let api: RateLimiter?
  private let webhook: RateLimiter?

  init(_ settings: Settings) {
    address = ClientAddress(proxies: settings[CRMSettings.trustedProxies].compactMap { NetworkRange($0) })
    api = RateLimiter(perMinute: settings[CRMSettings.addressRate])
    webhook = RateLimiter(perMinute: settings[CRMSettings.webhookRate])
  }

  /// Counts a request; nil where there is no limit.
  func take(_ request: HTTPRequest) -> RateDecision? {
    if AddressLimits.operations.contains(request.path) { return nil }
    let limiter = request.path == ReceiptHandlers.receiptPath ? webhook : api
    return limiter?.take(NetworkAddress(request.remoteAddress)?.network ?? request.remoteAddress)
  }
}
