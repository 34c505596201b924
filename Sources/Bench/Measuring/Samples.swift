import Foundation

/// Times of the same thing, measured again and again.
struct Samples: Sendable {
  private(set) var values: [Double]

  init(_ values: [Double] = []) { self.values = values }

  mutating func add(_ value: Double) { values.append(value) }

  var median: Double { quantile(0.5) }

  /// The smallest sample that at least this share of all does not exceed.
  func quantile(_ share: Double) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    if share == 0.5, sorted.count % 2 == 0 { return (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2 }
    return sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
  }

  /// CPU seconds of this thread per call of `body`, median of `rounds`: what a core can do, whatever else runs.
  static func processorTime(rounds: Int, each body: () -> Void) -> Samples {
    var samples = Samples()
    body()
    for _ in 0..<rounds {
      let began = threadTime()
      body()
      samples.add(threadTime() - began)
    }
    return samples
  }

  private static func threadTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
