/// Time that the processes have spent in their stages, from the histogram `minicrm_stage_seconds` of their `/metrics`.
///
/// Stages run concurrently and contain waiting: their sums say where a batch's time goes, not what it costs.
struct StageTimes: Sendable {
  struct Stage: Sendable, Hashable {
    let process: String
    let name: String
  }

  struct Time: Sendable {
    var seconds = 0.0
    var count = 0.0
  }

  private(set) var times: [Stage: Time] = [:]

  /// What all processes say now; replicas of a process add up.
  static func read(_ running: RunningStack, _ api: APIClient) async -> StageTimes {
    var stages = StageTimes()
    for url in running.opsURLs {
      if let text = await api.text("\(url)/metrics") { stages.add(exposition: text) }
    }
    return stages
  }

  /// What has been added since an earlier reading.
  func since(_ earlier: StageTimes) -> StageTimes {
    var difference = StageTimes()
    for (stage, time) in times {
      let before = earlier.times[stage] ?? Time()
      let change = Time(seconds: time.seconds - before.seconds, count: time.count - before.count)
      if change.count > 0 { difference.times[stage] = change }
    }
    return difference
  }

  /// The longest first.
  var sorted: [(stage: Stage, time: Time)] {
    times.map { ($0.key, $0.value) }.sorted { $0.time.seconds > $1.time.seconds }
  }

  mutating func add(exposition: String) {
    for line in exposition.split(separator: "\n") {
      let isSum = line.hasPrefix("minicrm_stage_seconds_sum{")
      guard isSum || line.hasPrefix("minicrm_stage_seconds_count{"), let space = line.lastIndex(of: " "),
        let value = Double(line[line.index(after: space)...]),
        let process = Self.label("process", in: line), let name = Self.label("stage", in: line)
      else { continue }
      let stage = Stage(process: process, name: name)
      if isSum { times[stage, default: Time()].seconds += value } else { times[stage, default: Time()].count += value }
    }
  }

  private static func label(_ name: String, in line: Substring) -> String? {
    guard let start = line.firstRange(of: "\(name)=\"")?.upperBound, let end = line[start...].firstIndex(of: "\"")
    else { return nil }
    return String(line[start..<end])
  }
}
