/// What the demo says at its end.
struct DemoSummary {
  let running: RunningStack
  let directory: StackDirectory
  let campaign: String
  let outcome: CampaignOutcome
  let stages: [StageTimes.Stage]
  let checks: Checks

  func print(on terminal: Terminal) {
    let final = outcome.final
    terminal.line("\nSummary")
    row(terminal, "audience", grouped(final.audience))
    // A message that was delivered or read was sent as well.
    row(terminal, "sent", grouped(final["sent"] + final["delivered"] + final["read"]))
    row(terminal, "delivered", grouped(final["delivered"] + final["read"]))
    row(terminal, "failed", grouped(final["failed"]))
    row(terminal, "skipped", grouped(final["skipped"]))
    for state in ["unknown", "cancelled"] where final[state] > 0 { row(terminal, state, grouped(final[state])) }
    if final["sent"] > 0 { row(terminal, "no receipt yet", grouped(final["sent"])) }
    terminal.line(
      "  \(padded("messages/s", 16))\(leftPadded(grouped(Int(outcome.messagesPerSecond)), 9))   "
        + "(completed in \(fixed(outcome.seconds, 1)) s, last receipt at \(fixed(outcome.settledSeconds, 1)) s)")

    if !stages.isEmpty {
      terminal.line("\nSlowest stages (time in all, over all replicas and batches)")
      for stage in stages {
        terminal.line(
          "  \(padded("\(stage.process) \(stage.stage)", 34))\(leftPadded(fixed(stage.seconds, 2), 9)) s   "
            + "\(grouped(Int(stage.count))) times, \(fixed(stage.meanMilliseconds, 1)) ms each")
      }
    }
    terminal.line("\nChecks")
    if checks.failures.isEmpty {
      terminal.line("  \(grouped(checks.made)) comparisons, all agree: at every poll audience = sum of states")
    }
    for failure in checks.failures { terminal.line("  WRONG: \(failure)") }
    printURLs(terminal)
  }

  private func row(_ terminal: Terminal, _ name: String, _ value: String) {
    terminal.line("  \(padded(name, 16))\(leftPadded(value, 9))")
  }

  private func printURLs(_ terminal: Terminal) {
    terminal.line(
      """

      URLs
        API        \(running.baseURL)/api/v1
        vendor     \(running.vendorURL)
        metrics    \(running.opsURLs.map { $0 + "/metrics" }.joined(separator: " "))

      Look further: `make demo KEEP=1` leaves the stack running; `make up STACK_DIR=\(directory.shortPath)` starts it again.
        source \(directory.shortPath)/env
        curl -s "$BASE_URL/api/v1/campaigns/\(campaign)/stats" | jq
        curl -s "$BASE_URL/api/v1/campaigns/\(campaign)/logs?status=FAILED&limit=5" | jq
        kcat -b "$KAFKA_BROKERS" -t campaign.send_jobs -C -o beginning -c 1 -J | jq
        kcat -b "$KAFKA_BROKERS" -L | grep 'topic "'
      """)
  }
}
