import Foundation
import HTTP
import Synchronization

/// `minicrm-bench idle`: what a gateway's answers take while thousands of connections do nothing, beside what they take
/// without them, in one run.
struct IdleBenchmark: Sendable {
  /// Times of each kind of request, in milliseconds.
  private struct Round {
    let without: [Samples]
    let with: [Samples]
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
      let without = try await timesOfEach(running, client)
      let idle = try IdleConnections(options.connections, port: port)
      let with = try await timesOfEach(running, client)
      open = min(open, idle.open)
      idle.close()
      // The gateway closes its ends, too, before it is measured alone again.
      try await Task.sleep(for: .seconds(2))
      rounds.append(Round(without: without, with: with))
      let ratios = zip(with, without).map { fixed($0.quantile(0.99) / $1.quantile(0.99), 2) }
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
      let (alone, beside) = (without.map { $0.quantile(0.99) }, with.map { $0.quantile(0.99) })
      let ratios = zip(beside, alone).map { $0 / $1 }
      let medians = [without.map(\.median), with.map(\.median), alone, beside, ratios].map { Samples($0).median }
      return ["GET \(Self.kinds[kind])"] + medians.map { fixed($0, 2) } + [Self.range(ratios), Self.range(alone)]
    }
    return [
      "\(grouped(options.connections)) idle connections, \(rounds.count) rounds of \(grouped(options.requests)) requests of each "
        + "kind without and beside them; ms, medians of the rounds",
      "",
    ]
      + aligned(
        [["", "median", "beside", "p99", "beside", "median ratio of p99", "ratios", "p99 without, range"]] + rows)
  }

  private static func range(_ numbers: [Double]) -> String {
    "\(fixed(numbers.min() ?? .nan, 2))–\(fixed(numbers.max() ?? .nan, 2))"
  }

  private func timesOfEach(_ running: RunningStack, _ client: HTTPClient) async throws -> [Samples] {
    var all: [Samples] = []
    for kind in Self.kinds { all.append(try await times(kind, running, client, count: options.requests)) }
    return all
  }

  private func times(
    _ path: String, _ running: RunningStack, _ client: HTTPClient, count: Int
  ) async throws -> Samples {
    let samples = Mutex(Samples())
    try await concurrently(count, workers: Self.workers) { _ in
      let asked = ContinuousClock.now
      let answer = try await client.execute(HTTPClientRequest(.get, running.baseURL + path))
      let duration = asked.duration(to: .now)
      guard answer.status == 200 else { throw BenchError("GET \(path) was answered \(answer.status)") }
      samples.withLock { $0.add(duration / .milliseconds(1)) }
    }
    return samples.withLock { $0 }
  }
}
