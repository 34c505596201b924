import JSON

/// What the demo shows, step by step, against a stack that is up.
struct Demonstration: Sendable {
  let stack: Stack
  let running: RunningStack
  let leads: String
  let orders: String

  private var terminal: Terminal { stack.terminal }

  static let template =
    "Hi {{ name | first_name }}, thank you for shopping with us. Free delivery to "
    + "{{ metadata.city | default: \"your city\" }} this week."

  /// - Returns: whether all numbers add up.
  func run() async throws -> Bool {
    let api = try APIClient(baseURL: running.baseURL)
    do {
      let isRight = try await run(api)
      await api.close()
      return isRight
    } catch {
      await api.close()
      throw error
    }
  }

  private func run(_ api: APIClient) async throws -> Bool {
    var checks = Checks()
    terminal.line("\nImport")
    let expectation = try await importFiles(api, &checks)

    terminal.line("\nSegments")
    let spends: JSONValue = [
      "type": "condition", "field": "total_spend", "operator": ">", "value": .int(Expectation.threshold),
    ]
    let reads: JSONValue = ["type": "condition", "field": "tags", "operator": "CONTAINS", "value": "newsletter"]
    let big = try await createSegment(
      api, "Big spenders", rule: spends, expected: expectation.bigSpenders, &checks)
    _ = try await createSegment(
      api, "Newsletter readers, no big spenders",
      rule: ["op": "AND", "children": [reads, ["op": "NOT", "children": [spends]]]],
      expected: expectation.modestReaders, &checks)

    let campaign = try await createCampaign(api, segment: big.id)
    let outcome = try await CampaignRun(api: api, stack: stack, campaign: campaign).run(&checks)
    checks.expect(
      "audience", outcome.final.audience, equals: Int64(big.count), "the segment's preview")
    let logs = try await api.get("/api/v1/campaigns/\(campaign)/logs?limit=1")
    if let rows = logs["pagination"]?["total"]?.intValue {
      checks.expect("communication log", rows, equals: outcome.final.audience, "the audience")
    }
    let stages = try await slowestStages()
    DemoSummary(
      running: running, directory: stack.directory, campaign: campaign, outcome: outcome, stages: stages,
      checks: checks
    ).print(on: terminal)
    return checks.failures.isEmpty
  }

  // MARK: Steps

  private func importFiles(_ api: APIClient, _ checks: inout Checks) async throws -> Expectation {
    var expectation = Expectation()
    var leadsFile = try LeadsFile(path: leads)
    let leadsResult = try await BulkImport(api: api, path: "/api/v1/leads/bulk", key: "leads").run {
      let lead = try leadsFile.next()
      if let lead { expectation.add(lead: lead) }
      return lead
    }
    report("leads", leads, leadsResult)
    var ordersFile = try OrdersFile(path: orders)
    let ordersResult = try await BulkImport(api: api, path: "/api/v1/orders/bulk", key: "orders").run {
      let order = try ordersFile.next()
      if let order { expectation.add(order: order) }
      return order
    }
    report("orders", orders, ordersResult)
    for (name, result) in [("leads", leadsResult), ("orders", ordersResult)] {
      checks.expect(
        "\(name) accepted and rejected", result.accepted + Int64(result.rejected), equals: Int64(result.rows),
        "the rows sent")
    }
    // A row that was refused is not in the product's count, and may be in the files' one.
    return leadsResult.rejected + ordersResult.rejected == 0 ? expectation : .unsure
  }

  private func report(_ name: String, _ file: String, _ result: ImportResult) {
    terminal.line(
      "  \(padded(name, 8))\(leftPadded(grouped(result.accepted), 8)) accepted, \(grouped(result.rejected)) rejected in "
        + "\(fixed(result.seconds, 1)) s (\(grouped(result.perSecond))/s, \(file))")
    for sample in result.samples { terminal.line("    \(sample)") }
  }

  private func createSegment(
    _ api: APIClient, _ name: String, rule: JSONValue, expected: Int?, _ checks: inout Checks
  ) async throws -> (id: String, count: Int) {
    let body: JSONValue = ["name": .string(name), "rule_ast": rule]
    let segment = try await api.post("/api/v1/segments", body.encoded())
    let preview = try await api.post("/api/v1/segments/preview", (["rule_ast": rule] as JSONValue).encoded())
    guard let id = segment["data"]?["_id"]?.stringValue, let count = preview["data"]?["count"]?.intValue else {
      throw StackError("unexpected answer to a new segment or its preview: \(preview.encodedString().prefix(400))")
    }
    var words = preview["data"]?["explanation"]?.stringValue ?? ""
    if !words.isEmpty { words = "  (\(words))" }
    terminal.line("  \(name): \(grouped(count)) leads\(words)")
    if let expected { checks.expect("\"\(name)\"", count, equals: Int64(expected), "a count of the files") }
    return (id, Int(count))
  }

  private func createCampaign(_ api: APIClient, segment: String) async throws -> String {
    let body: JSONValue = [
      "name": "Free delivery week", "segment_id": .string(segment), "message_template": .string(Self.template),
      "channel": "whatsapp", "created_by": "demo",
    ]
    let campaign = try await api.post("/api/v1/campaigns", body.encoded())
    guard let id = campaign["data"]?["_id"]?.stringValue else {
      throw StackError("unexpected answer to a new campaign: \(campaign.encodedString().prefix(400))")
    }
    return id
  }

  private func slowestStages() async throws -> [StageTimes.Stage] {
    let probe = try HTTPProbe()
    var times = StageTimes()
    for url in running.opsURLs {
      if let text = await probe.text("\(url)/metrics") { times.add(exposition: text) }
    }
    await probe.close()
    return times.slowest(3)
  }
}
