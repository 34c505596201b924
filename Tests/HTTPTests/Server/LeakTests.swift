import Testing

@testable import HTTP

@Suite struct LeakTests {
  /// Requests of every kind, from and to this process, until memory would show what each of them left behind.
  @Test func memoryStaysFlatOverAHundredThousandRequests() async throws {
    try await withServer(
      routes: { router in
        standardRoutes(&router)
        router.on(.get, "/stream") { _ in
          let count = Counter()
          return HTTPResponse(body: .stream(length: nil, { count.increment() > 2 ? nil : Array("chunk".utf8) }))
        }
        router.on(.post, "/import", options: .init(streamsBody: true)) { request in
          HTTPResponse(body: .bytes(try await request.body.collect(upTo: 10_000)))
        }
        router.on(.get, "/yield") { _ in
          await Task.yield()
          return .text("")
        }
      },
      body: { server in
        try await withClient(.init(maxConnectionsPerHost: 32)) { client in
          func run(_ rounds: Int) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
              for _ in 0..<32 {
                group.addTask {
                  for _ in 0..<(rounds / 32) {
                    for request in [
                      HTTPClientRequest.get(server, "/hello"), .post(server, "/echo", Array("body".utf8)),
                      .get(server, "/missing"), .get(server, "/yield"), .get(server, "/stream"),
                      .post(server, "/import", Array("body".utf8)), .get(server, "/%zz"),
                    ] { _ = try await client.execute(request) }
                  }
                }
              }
              try await group.waitForAll()
            }
          }
          try await run(3_000)
          let before = try residentBytes()
          try await run(15_000)
          let growth = try residentBytes() - before
          // 100 bytes for each request would be 10 MB.
          #expect(growth < 10 << 20, "\(growth) bytes")
        }
      })
  }
}
