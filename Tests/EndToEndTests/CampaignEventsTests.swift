import Foundation
import HTTP
import JSON
import Testing

/// Server-sent events with real connections and a real campaign.
@Suite(.serialized) struct CampaignEventsTests {
  private func residentBytes(_ pid: pid_t) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return (Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0) * 1024
  }

  private func listeners(_ stack: TestStack) async throws -> Int {
    let metrics = try await stack.succeed(.get, "/metrics").text
    let line = try #require(metrics.split(separator: "\n").first { $0.hasPrefix("minicrm_event_listeners ") })
    return Int(Double(line.split(separator: " ")[1]) ?? -1)
  }

  @Test func aThousandListenersAllSeeTheEndAndCostLittle() async throws {
    let count = 1000
    try await TestStack.with(.embedded) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 600)
      let path = "/api/v1/campaigns/\(scenario.campaignID)/events"
      let port = try #require(URL(string: stack.baseURL)?.port)
      let gateway = try stack.processID("api-gateway")
      let before = try residentBytes(gateway)
      let clients = try EventListeners(count, port: port, path: path)
      try await clients.read(within: .seconds(60)) { $0.count(saw: #""status":"DRAFT""#) == count }
      #expect(try await listeners(stack) == count)
      try await scenario.run()
      try await clients.read(within: .seconds(180)) { $0.areAllClosed }
      let after = try residentBytes(gateway)
      #expect(clients.count(saw: #""status":"COMPLETED""#) == count)
      let growth = after - before
      print(
        "\(count) listeners: resident \(before >> 20) MiB before, \(after >> 20) MiB after, \(growth / count) bytes each"
      )
      #expect(growth < 128 << 20)
      try await until("every listener is released") { try await listeners(stack) == 0 }
      // Who comes back with the last id hears that there is nothing more; at another gateway, too.
      let again = try await stack.request(.get, path)
      let id = try #require(again.text.split(separator: "\n").first { $0.hasPrefix("id: ") }).dropFirst(4)
      let replica = try await stack.startReplica(of: "api-gateway", [:])
      let known = try await stack.request(.get, replica + path, headers: ["Last-Event-ID": String(id)])
      #expect(known.status == 204 || known.text.contains("COMPLETED"), "late receipts may have changed the numbers")
    }
  }

  @Test func clientsThatGoAwayAreReleased() async throws {
    try await TestStack.with(.embedded) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 10)
      let port = try #require(URL(string: stack.baseURL)?.port)
      do {
        let clients = try EventListeners(50, port: port, path: "/api/v1/campaigns/\(scenario.campaignID)/events")
        try await clients.read(within: .seconds(30)) { $0.count(saw: "DRAFT") == 50 }
        #expect(try await listeners(stack) == 50)
      }
      try await until("every listener is released", within: .seconds(20)) { try await listeners(stack) == 0 }
    }
  }
}
