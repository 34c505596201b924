import CivilTime
import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
  private let total = Atomic<Int>(0)

  public func add(_ amount: Int = 1) { total.wrappingAdd(amount, ordering: .relaxed) }

  public var value: Int { total.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
  private let bits = Atomic<UInt64>(0)

  public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Observations counted in fixed buckets, with their sum.
public final class Histogram: Sendable {
  struct State {
    var counts: [Int]
    var sum = 0.0
  }

  let bounds: [Double]
  private let state: Mutex<State>

  init(bounds: [Double]) {
    self.bounds = bounds
    state = Mutex(State(counts: [Int](repeating: 0, count: bounds.count + 1)))
  }

  /// Counts `value` (in the metric's unit) `times` times.
  public func observe(_ value: Double, times: Int = 1) {
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[bucket] += times
      state.sum += value * Double(times)
    }
  }

  /// Counts the seconds of a duration.
  public func observe(_ duration: Duration, times: Int = 1) { observe(duration.inSeconds, times: times) }

  func snapshot() -> State { state.withLock { $0 } }
}

/// A metric with label names; `labels` gives the series for a combination of values.
public final class MetricFamily<Metric: Sendable>: Sendable {
  public let name: String
  let labelNames: [String]
  private let make: @Sendable () -> Metric
  private let series = Mutex<[[String]: Metric]>([:])
  private static var seriesLimit: Int { 1000 }

  init(name: String, labelNames: [String], make: @escaping @Sendable () -> Metric) {
    self.name = name
    self.labelNames = labelNames
    self.make = make
  }

  /// The series for these values, one for each label name, in their order. Keep it where it is used often.
  ///
  /// Values beyond 1,000 combinations share one series labelled `other`, so that outside data cannot fill the memory.
  public func labels(_ values: String...) -> Metric {
    series.withLock { series in
      var key = Array(values.prefix(labelNames.count))
      key += [String](repeating: "", count: labelNames.count - key.count)
      if let known = series[key] { return known }
      if series.count >= MetricFamily.seriesLimit {
        key = [String](repeating: "other", count: labelNames.count)
        if let known = series[key] { return known }
      }
      let metric = make()
      series[key] = metric
      return metric
    }
  }

  func all() -> [([String], Metric)] {
    series.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
  }
}

/// The metrics of a process, rendered in Prometheus' text format (version 0.0.4).
public final class MetricsRegistry: Sendable {
  private struct Entry {
    let name: String
    let help: String
    let type: String
    let render: @Sendable (inout String) -> Void
  }

  private let entries = Mutex<[Entry]>([])

  public init() {}

  public func counter(_ name: String, help: String, labels: [String] = []) -> MetricFamily<Counter> {
    let family = MetricFamily(name: name, labelNames: labels) { Counter() }
    register(name, help, "counter") { text in
      for (values, metric) in family.all() {
        text += "\(name)\(Self.render(labels, values)) \(metric.value)\n"
      }
    }
    return family
  }

  public func gauge(_ name: String, help: String, labels: [String] = []) -> MetricFamily<Gauge> {
    let family = MetricFamily(name: name, labelNames: labels) { Gauge() }
    register(name, help, "gauge") { text in
      for (values, metric) in family.all() {
        text += "\(name)\(Self.render(labels, values)) \(Self.render(metric.value))\n"
      }
    }
    return family
  }

  /// A gauge whose value is asked for when the metrics are read. `read` must not block.
  public func gauge(_ name: String, help: String, read: @escaping @Sendable () -> Double) {
    register(name, help, "gauge") { text in text += "\(name) \(Self.render(read()))\n" }
  }

  /// A counter whose value is asked for when the metrics are read. `read` must not block, and must not fall.
  public func counter(_ name: String, help: String, read: @escaping @Sendable () -> Double) {
    register(name, help, "counter") { text in text += "\(name) \(Self.render(read()))\n" }
  }

  /// - Parameter buckets: upper bounds, ascending, in the metric's unit.
  public func histogram(
    _ name: String, help: String, labels: [String] = [],
    buckets: [Double] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
  ) -> MetricFamily<Histogram> {
    let family = MetricFamily(name: name, labelNames: labels) { Histogram(bounds: buckets) }
    register(name, help, "histogram") { text in
      for (values, metric) in family.all() {
        let state = metric.snapshot()
        var cumulative = 0
        for (index, count) in state.counts.enumerated() {
          cumulative += count
          let bound = index < buckets.count ? Self.render(buckets[index]) : "+Inf"
          text += "\(name)_bucket\(Self.render(labels + ["le"], values + [bound])) \(cumulative)\n"
        }
        text += "\(name)_sum\(Self.render(labels, values)) \(Self.render(state.sum))\n"
        text += "\(name)_count\(Self.render(labels, values)) \(cumulative)\n"
      }
    }
    return family
  }

  /// All metrics as text, sorted by name.
  public func exposition() -> String {
    var text = ""
    for entry in entries.withLock({ $0 }).sorted(by: { $0.name < $1.name }) {
      text += "# HELP \(entry.name) \(Self.escape(entry.help, quotes: false))\n# TYPE \(entry.name) \(entry.type)\n"
      entry.render(&text)
    }
    return text
  }

  private func register(
    _ name: String, _ help: String, _ type: String, _ render: @escaping @Sendable (inout String) -> Void
  ) {
    entries.withLock { $0.append(Entry(name: name, help: help, type: type, render: render)) }
  }

  private static func render(_ names: [String], _ values: [String]) -> String {
    guard !names.isEmpty else { return "" }
    let pairs = zip(names, values).map { "\($0)=\"\(escape($1, quotes: true))\"" }
    return "{" + pairs.joined(separator: ",") + "}"
  }

  private static func render(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
  }

  private static func escape(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
