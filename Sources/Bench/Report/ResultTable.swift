/// The figures for a person.
struct ResultTable {
  let results: Results

  var text: String {
    (heading + [""] + headline + [""] + timeline + [""] + processes + [""] + stages + [""] + remarks)
      .joined(separator: "\n")
  }

  private var heading: [String] {
    let machine = results.machine
    return [
      "MiniCRM \(results.versions.product) benchmark, commit \(machine.commit ?? "unknown"), "
        + "\(grouped(results.options.leads)) leads",
      "  \(machine.cores) cores (\(machine.model)), \(machine.memoryGB) GB, \(machine.kernel); the load included",
      "  MongoDB \(results.versions.mongodb); broker: \(results.broker)\(results.versions.kafka.map { " (\($0))" } ?? "")",
    ]
  }

  private var headline: [String] {
    var rows = [["", "measured", "reference"]]
    if let bulk = results.bulk {
      rows.append(["bulk leads/s", fixed(bulk.perSecond, 0), span(Reference.bulkLeads)])
    }
    if let floor = results.floor, let ratio = results.bulkRatio {
      rows.append(["  the floor: a raw insert of the same", fixed(floor.perSecond, 0), ""])
      rows.append(["  bulk : floor", fixed(ratio, 2), ""])
    }
    if let campaign = results.campaign {
      rows.append(["end to end messages/s", fixed(campaign.perSecond, 0), span(Reference.messages)])
    }
    if let receipts = results.receipts {
      rows.append(["receipts accepted/s, one a request", fixed(receipts.perSecond, 0), span(Reference.receipts)])
    }
    return aligned(rows)
  }

  private var timeline: [String] {
    guard let campaign = results.campaign else { return [] }
    let times = [
      ("frozen", campaign.frozen), ("expanded", campaign.expanded), ("last sent", campaign.lastSent),
      ("completed", campaign.completed), ("last receipt", campaign.settled),
    ]
    return [
      "Campaign: " + times.map { "\($0.0) \(fixed($0.1, 1)) s" }.joined(separator: ", ") + " (\(campaign.polls) polls)",
      "  \(campaign.final.text)",
    ]
  }

  /// CPU and memory of every process in every scenario.
  private var processes: [String] {
    var rows = [
      [
        "CPU µs, peak MB", "a lead, bulk", "raw insert", "a message", "reference", "peak MB", "a receipt", "peak MB",
      ]
    ]
    let names = results.campaign?.uses.map(\.name) ?? []
    var sums = [Double](repeating: 0, count: 4)
    for name in names {
      func cpu(_ uses: [ProcessUse]?, _ count: Int?, _ sum: Int) -> String {
        guard let use = uses?.first(where: { $0.name == name }), let count, count > 0 else { return "" }
        let each = use.cpuSeconds * 1e6 / Double(count)
        sums[sum] += each
        return fixed(each, 1)
      }
      func peak(_ uses: [ProcessUse]?) -> String {
        uses?.first { $0.name == name }.map { fixed(Double($0.peakBytes) / 1e6, 0) } ?? ""
      }
      rows.append([
        name, cpu(results.bulk?.uses, results.bulk?.leads, 0), cpu(results.floor?.uses, results.floor?.leads, 1),
        cpu(results.campaign?.uses, results.messages, 2), Reference.cpuPerMessage[name].map { fixed($0, 0) } ?? "",
        peak(results.campaign?.uses), cpu(results.receipts?.uses, results.receipts?.receipts, 3),
        peak(results.receipts?.uses),
      ])
    }
    rows.append(
      ["all", fixed(sums[0], 1), fixed(sums[1], 1), fixed(sums[2], 1), "716", "", fixed(sums[3], 1), ""])
    return aligned(rows) + ["  reference, peak MB of each of its processes: \(span(Reference.residentMB))"]
  }

  private var stages: [String] {
    guard let campaign = results.campaign else { return [] }
    let rows = campaign.stages.sorted.map { stage, time in
      [
        "\(stage.process) \(stage.name)", fixed(time.seconds, 2), fixed(time.count, 0),
        fixed(time.seconds / time.count * 1000, 2), fixed(time.seconds * 1e6 / Double(max(1, campaign.messages)), 1),
      ]
    }
    return aligned([["Stages of the campaign, waiting included", "sum s", "times", "mean ms", "µs a message"]] + rows)
  }

  private var remarks: [String] {
    let uses: [(String, MachineUse?)] = [
      ("bulk", results.bulk?.machine), ("raw insert", results.floor?.machine), ("campaign", results.campaign?.machine),
      ("receipts", results.receipts?.machine),
    ]
    let busy = uses.compactMap { name, use in
      use.map { "\(name) \(fixed($0.busy * 100, 0)) % (\(fixed($0.others * 100, 0)) % by others)" }
    }
    var lines = ["Machine busy: " + busy.joined(separator: ", ")]
    if uses.contains(where: { ($0.1?.others ?? 0) > 0.1 }) {
      lines.append("  Other programs were busy meanwhile: the figures are lower than they would be.")
    }
    if let receipts = results.receipts {
      lines.append(
        "Receipts: \(grouped(receipts.receipts)) over \(receipts.connections) connections, merged after "
          + "\(fixed(receipts.merged, 1)) s, \(grouped(receipts.refused)) refused (503) and repeated")
    }
    if results.options.profiles { lines.append("Profiled by perf meanwhile: the figures are lower for it.") }
    return lines + [Reference.note]
  }
}
