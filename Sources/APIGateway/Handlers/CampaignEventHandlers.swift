import HTTP
import Runtime
import Synchronization

/// `/api/v1/campaigns/:id/events`: a campaign's state as server-sent events, until it has ended.
struct CampaignEventHandlers: Sendable {
  private let gateway: Gateway
  private let feeds: CampaignFeeds

  static let access = Access.scope(.campaignsRead)
  static let mediaType = "text/event-stream"
  static let lastEventID = "Last-Event-ID"
  /// Milliseconds after which a browser comes back.
  private static let opening = Array("retry: 2000\n\n".utf8)
  private static let comment = Array(": \n\n".utf8)

  init(gateway: Gateway) {
    self.gateway = gateway
    feeds = gateway.feeds
  }

  var routes: [Route] {
    [
      Route(
        .get, "/api/v1/campaigns/:id/events", "followCampaign", operation: .followCampaign,
        access: CampaignEventHandlers.access, follow)
    ]
  }

  @Sendable private func follow(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let listener = try feeds.join(try request.objectID())
    let first = try await listener.first()
    let isKnown = request.http.headers[CampaignEventHandlers.lastEventID] == first.id
    // There is nothing more to come, and an EventSource that hears this does not come back (HTML, "server-sent events").
    if isKnown, first.isFinal { return HTTPResponse(status: 204) }
    let opening = CampaignEventHandlers.opening + (isKnown ? [] : first.event)
    let isOpen = Mutex(false)
    return HTTPResponse(
      headers: ["Content-Type": CampaignEventHandlers.mediaType, "X-Accel-Buffering": "no"],
      body: .stream(length: nil) {
        let wasOpen = isOpen.withLock { isOpen in
          defer { isOpen = true }
          return isOpen
        }
        if !wasOpen { return opening }
        switch try await listener.next() {
        case .moment(let moment): return moment.event
        case .heartbeat: return await mayStay(request) ? CampaignEventHandlers.comment : nil
        case .end: return nil
        }
      })
  }

  /// A stream ends with the credential that opened it: within a heartbeat, and the time that an answer is believed.
  private func mayStay(_ request: APIRequest) async -> Bool {
    do {
      let caller = try await gateway.access.authenticate(request.http)
      return CampaignEventHandlers.access.allows(caller.scopes)
    } catch let problem as Problem {
      // Nobody knows while the database is away.
      return problem.kind.status == 503
    } catch {
      return true
    }
  }
}
