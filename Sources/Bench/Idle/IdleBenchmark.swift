import Foundation
import HTTP
import Synchronization

/// `minicrm-bench idle`: what a gateway's answers take while thousands of connections do nothing, beside what they take
/// without them, in one run.
struct IdleBenchmark: Sendable {
  /// Times of one kind of request, in milliseconds.
  private struct Times {
    let median: Double
    let p99: Double

    init(_ durations: [Duration]) {
      let sorted = durations.map { $0 / .milliseconds(1) }.sorted()
      median = sorted[sorted.count / 2]
      p99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }
  }

  /// Of each kind of request.
  private struct Round {
    let without: [Times]
    let with: [Times]
  }

  /// Connections that the measured requests come on.
  private static let workers = 4
  private static let kinds = ["/health", "/api/v1/leads?limit=1"]

  let options: IdleOptions
  let stack: BenchStack
  let console: Console

  /// - Returns: whether every idle connection was still open at the end.
  func run() async throws -> Bool { try await stack.stoppingAfterwards { try await measure() } }

  private func measure() async throws -> Bool {
    let running = try await stack.start()
    guard let port = URL(string: running.baseURL)?.port else { throw BenchError("no port in \(running.baseURL)") }
    let client = try HTTPClient(maxConnectionsPerHost: Self.workers, maxConcurrent: Self.workers)
    for kind in Self.kinds { _ = try await times(kind, running, client, count: 200) }
    var rounds: [Round] = []
    var open = options.connections
    for number in 1...options.rounds {
      var without: [Times] = []
      for kind in Self.kinds { without.append(try await times(kind, running, client, count: options.requests)) }
      let idle = try IdleConnections(options.connections, port: port)
      var with: [Times] = []
      for kind in Self.kinds { with.append(try await times(kind, running, client, count: options.requests)) }
      open = min(open, idle.open)
      idle.close()
      // The gateway closes its ends, too, before it is measured alone again.
      try await Task.sleep(for: .seconds(2))
      rounds.append(Round(without: without, with: with))
      let ratios = Self.kinds.indices.map { Self.text(with[$0].p99 / without[$0].p99) }
      console.progress("round \(number): p99 \(ratios.joined(separator: " and ")) times that without idle connections")
    }
    await client.close()
    for line in report(rounds) { console.line(line) }
    console.line("\(grouped(open)) of \(grouped(options.connections)) idle connections were open at each round's end")
    return open == options.connections
  }

  private func report(_ rounds: [Round]) -> [String] {
    let rows = Self.kinds.indices.map { kind in
      let (without, with) = (rounds.map { $0.without[kind] }, rounds.map { $0.with[kind] })
      let ratios = zip(with, without).map { $0.p99 / $1.p99 }
      let alone = without.map(\.p99)
      return [
        "GET \(Self.kinds[kind])",
        Self.text(Self.median(without.map(\.median))), Self.text(Self.median(with.map(\.median))),
        Self.text(Self.median(alone)), Self.text(Self.median(with.map(\.p99))), Self.text(Self.median(ratios)),
        "\(Self.text(ratios.min() ?? 0))–\(Self.text(ratios.max() ?? 0))",
        "\(Self.text(alone.min() ?? 0))–\(Self.text(alone.max() ?? 0))",
      ]
    }
    return [
      "\(grouped(options.connections)) idle connections, \(rounds.count) rounds of \(grouped(options.requests)) requests of each "
        + "kind without and beside them; ms, medians of the rounds",
      "",
    ]
      + aligned(
        [["", "median", "beside", "p99", "beside", "median ratio of p99", "ratios", "p99 without, range"]] + rows)
  }

  private static func median(_ numbers: [Double]) -> Double { numbers.sorted()[numbers.count / 2] }

  private func times(
    _ path: String, _ running: RunningStack, _ client: HTTPClient, count: Int
  ) async throws -> Times {
    let durations = Mutex<[Duration]>([])
    try await concurrently(count, workers: Self.workers) { _ in
      let asked = ContinuousClock.now
      let answer = try await client.execute(HTTPClientRequest(.get, running.baseURL + path))
      let duration = asked.duration(to: .now)
      guard answer.status == 200 else { throw BenchError("GET \(path) was answered \(answer.status)") }
      durations.withLock { $0.append(duration) }
    }
    return Times(durations.withLock { $0 })
  }

  private static func text(_ number: Double) -> String { String(format: "%.2f", number) }
}
