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
    console.progress("\(grouped(options.requests)) requests of each kind without idle connections")
    var before: [Times] = []
    for kind in Self.kinds { before.append(try await times(kind, running, client, count: options.requests)) }
    console.progress("\(grouped(options.connections)) idle connections")
    let idle = try IdleConnections(options.connections, port: port)
    console.progress("the same requests beside them")
    var meanwhile: [Times] = []
    for kind in Self.kinds { meanwhile.append(try await times(kind, running, client, count: options.requests)) }
    let open = idle.open
    await client.close()
    for (kind, (without, with)) in zip(Self.kinds, zip(before, meanwhile)) {
      console.line(
        "GET \(kind): p99 \(Self.text(without.p99)) ms without, \(Self.text(with.p99)) ms with: "
          + "\(Self.text(with.p99 / without.p99)) times; median \(Self.text(without.median)) and "
          + "\(Self.text(with.median)) ms")
    }
    console.line("\(grouped(open)) of \(grouped(options.connections)) idle connections are open at the end")
    return open == options.connections
  }

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
