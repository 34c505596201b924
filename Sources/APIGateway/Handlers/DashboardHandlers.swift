import BSON
import CRMCore
import CRMStore
import CivilTime
import HTTP
import JSON

/// `/api/v1/dashboard/stats`
struct DashboardHandlers: Sendable {
  /// Days that are shown, today among them.
  static let days = 30
  static let activities = 10
  private static let timeoutMS = 5_000
  /// What is counted, in a few queries, is waited for so long at most: everybody waits for the same answer.
  private static let patience = Duration.seconds(10)
  /// Everybody who looks at the dashboard within this time sees the same numbers.
  private static let validFor = Duration.seconds(5)

  private let gateway: Gateway
  private let answers = RefreshingCache<Bool, JSONValue>(capacity: 1, validFor: validFor)

  init(gateway: Gateway) { self.gateway = gateway }

  var routes: [Route] {
    [
      Route(
        .get, "/api/v1/dashboard/stats", "getDashboard", operation: .getDashboard, access: .scope(.statusRead), show)
    ]
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(
      try await answers.value(true) { [store = gateway.store, health = gateway.context.health] in
        let found = try await health.unlessDatabaseIsLost(within: Self.patience) {
          try await store.dashboard(days: Self.days, activity: Self.activities, timeoutMS: Self.timeoutMS)
        }
        guard let found else { throw RouteRunner.isAway(.database) }
        return Self.json(found)
      })
  }

  private static func json(_ dashboard: Dashboard) -> JSONValue {
    let sum = dashboard.days.reduce(into: CampaignStats()) { $0 += $1.messages }
    var leads = Int64(dashboard.leads)
    for day in dashboard.days { leads -= day.newLeads }
    var messages: [JSONValue] = []
    var growth: [JSONValue] = []
    for day in dashboard.days {
      leads += day.newLeads
      messages.append(self.messages(of: day))
      growth.append(["date": date(day.start), "new": .int(day.newLeads), "total": .int(max(0, leads))])
    }
    return [
      "totalCustomers": .int(Int64(dashboard.leads)), "customerSegments": .int(Int64(dashboard.segments)),
      "activeCampaigns": .int(Int64(dashboard.activeCampaigns)), "deliveryRate": .double(sum.deliveryRate),
      "messagesByDay": .array(messages), "leadGrowth": .array(growth),
      "recentActivity": .array(dashboard.activity.map(activity)),
    ]
  }

  private static func messages(of day: Dashboard.Day) -> JSONValue {
    let stats = day.messages
    return [
      "date": date(day.start), "audience": .int(stats.audience), "sent": .int(stats.attempted),
      "delivered": .int(stats.delivered + stats.read), "failed": .int(stats.failed),
    ]
  }

  private static func activity(_ entry: BSONDocument) -> JSONValue {
    func text(_ name: String) -> JSONValue { entry[name]?.stringValue.map { .string($0) } ?? .null }
    return [
      "at": .string(Timestamp(milliseconds: entry["at"]?.dateMilliseconds ?? 0).description),
      "action": .string(entry["action"]?.stringValue ?? ""), "resource": text("resource"),
      "resource_id": text("resource_id"),
    ]
  }

  private static func date(_ start: Timestamp) -> JSONValue { .string(String(start.description.prefix(10))) }
}
