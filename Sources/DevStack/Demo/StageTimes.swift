/// Where the processes have spent their time, from the histogram `minicrm_stage_seconds` of their `/metrics`.
struct StageTimes {
  struct Stage {
    let process: String
    let stage: String
    var seconds = 0.0
    var count = 0.0

    var meanMilliseconds: Double { count > 0 ? seconds / count * 1000 : 0 }
  }

  private(set) var stages: [Stage] = []

  /// Adds one process's metrics; replicas of the same process add up.
  mutating func add(exposition: String) {
    for line in exposition.split(separator: "\n") {
      let isSum = line.hasPrefix("minicrm_stage_seconds_sum{")
      guard isSum || line.hasPrefix("minicrm_stage_seconds_count{"), let space = line.lastIndex(of: " "),
        let value = Double(line[line.index(after: space)...]),
        let process = Self.label("process", in: line), let name = Self.label("stage", in: line)
      else { continue }
      let index =
        stages.firstIndex { $0.process == process && $0.stage == name }
        ?? {
          stages.append(Stage(process: process, stage: name))
          return stages.count - 1
        }()
      if isSum { stages[index].seconds += value } else { stages[index].count += value }
    }
  }

  /// Those that took the most time in all, the longest first.
  func slowest(_ count: Int) -> [Stage] {
    Array(stages.filter { $0.count > 0 }.sorted { $0.seconds > $1.seconds }.prefix(count))
  }

  private static func label(_ name: String, in line: Substring) -> String? {
    guard let start = line.firstRange(of: "\(name)=\"")?.upperBound, let end = line[start...].firstIndex(of: "\"")
    else {
      return nil
    }
    return String(line[start..<end])
  }
}
