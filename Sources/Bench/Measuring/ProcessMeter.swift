import Foundation

/// What a process used during a scenario.
struct ProcessUse: Sendable {
  let name: String
  let cpuSeconds: Double
  let peakBytes: Int
}

/// How busy the machine was during a scenario.
struct MachineUse: Sendable {
  /// Share of all processors' time, 0–1.
  let busy: Double
  /// Of it, the share of processes that are not measured: anything much above 0 spoils the figures.
  let others: Double
}

/// Measures the stack's processes, and this one.
struct ProcessMeter: Sendable {
  let processes: [MeasuredProcess]

  private let console: Console

  init(_ stack: [MeasuredProcess], _ console: Console) {
    processes = stack + [.own]
    self.console = console
  }

  /// What is measured from now on.
  func begin() -> Reading { Reading(processes) }

  /// Waits until the stack idles, so that one scenario's leftovers do not burden the next; not for ever.
  ///
  /// - Throws: `CancellationError`.
  func quiet() async throws {
    try await calm(below: 0.2, over: .milliseconds(500), times: 2, within: .seconds(20))
  }

  /// Waits until servers that were just started have warmed up: Kafka's virtual machine compiles for a minute. Not for
  /// ever.
  ///
  /// - Throws: `CancellationError`.
  func settled() async throws { try await calm(below: 0.2, over: .seconds(10), times: 1, within: .seconds(120)) }

  /// - Parameters:
  ///   - share: of one processor, all processes together.
  ///   - times: how often in a row they must stay below it.
  private func calm(
    below share: Double, over window: Duration, times: Int, within limit: Duration
  ) async throws {
    let deadline = ContinuousClock.now + limit
    var before = processes.reduce(0) { $0 + $1.cpuSeconds }
    var calm = 0
    while ContinuousClock.now < deadline {
      try await Task.sleep(for: window)
      let now = processes.reduce(0) { $0 + $1.cpuSeconds }
      calm = now - before < share * (window / .seconds(1)) ? calm + 1 : 0
      if calm == times { return }
      before = now
    }
    console.progress("the stack was still busy after \(limit): what comes next is measured beside that")
  }

  /// A measurement under way.
  struct Reading: Sendable {
    private let processes: [MeasuredProcess]
    private let began: [Double]
    private let machineBegan: (busy: Double, all: Double)
    /// Whether the system keeps the peaks; else they are the highest that `sample` has seen.
    private let keepsPeaks: [Bool]
    private var sampled: [Int]

    fileprivate init(_ processes: [MeasuredProcess]) {
      self.processes = processes
      keepsPeaks = processes.map { $0.resetPeak() }
      sampled = processes.map(\.residentBytes.now)
      machineBegan = Self.machineTimes()
      began = processes.map(\.cpuSeconds)
    }

    mutating func sample() {
      for (index, process) in processes.enumerated() where !keepsPeaks[index] {
        sampled[index] = max(sampled[index], process.residentBytes.now)
      }
    }

    mutating func end() -> (processes: [ProcessUse], machine: MachineUse) {
      let seconds = zip(processes, began).map { $0.cpuSeconds - $1 }
      let now = Self.machineTimes()
      sample()
      let uses = processes.indices.map { index in
        ProcessUse(
          name: processes[index].name, cpuSeconds: seconds[index],
          peakBytes: keepsPeaks[index] ? processes[index].residentBytes.peak : sampled[index])
      }
      let all = max(now.all - machineBegan.all, 0.001)
      let busy = now.busy - machineBegan.busy
      return (uses, MachineUse(busy: busy / all, others: max(0, busy - seconds.reduce(0, +)) / all))
    }

    /// Seconds since boot that the processors were busy, and in all.
    private static func machineTimes() -> (busy: Double, all: Double) {
      guard let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return (0, 0) }
      // user nice system idle iowait irq softirq steal; guests are in user already.
      let ticks = stat.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
      guard ticks.count == 8 else { return (0, 0) }
      let all = ticks.reduce(0, +)
      let perSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
      return ((all - ticks[3] - ticks[4] - ticks[7]) / perSecond, all / perSecond)
    }
  }
}
