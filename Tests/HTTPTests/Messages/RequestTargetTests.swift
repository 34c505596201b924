import Testing

@testable import HTTP

@Suite struct RequestTargetTests {
  private func target(_ text: String, _ method: HTTPMethod = .get) throws(RequestProblem) -> RequestTarget {
    try RequestTarget(Array(text.utf8), method: method)
  }

  @Test func pathsAreDecoded() throws {
    #expect(try target("/a%20b/%C3%A9?x=1").path == "/a b/é")
    #expect(try target("/").path == "/")
    #expect(try target("/a+b").path == "/a+b", "a plus is a space in queries only")
  }

  @Test func queriesKeepOrderDuplicatesAndEmptyValues() throws {
    let query = try target("/?b=2&a=1&b=3&flag&=x&c=%26%3D+y&d=a=b&&").query
    #expect(query.map { "\($0.name)|\($0.value)" } == ["b|2", "a|1", "b|3", "flag|", "|x", "c|&= y", "d|a=b"])
    #expect(query["b"] == "2")
    #expect(query.values("b") == ["2", "3"])
    #expect(query.names == ["b", "a", "flag", "", "c", "d"])
  }

  @Test func absoluteFormLosesItsAuthority() throws {
    let decoded = try target("http://example.com:80/a?b=c")
    #expect(decoded.path == "/a")
    #expect(decoded.query["b"] == "c")
    #expect(try target("HTTPS://h/").path == "/")
  }

  @Test func asteriskIsForOptionsOnly() throws {
    #expect(try target("*", .options).path == "*")
    #expect(throws: RequestProblem.self) { try target("*") }
  }

  @Test(arguments: [
    "", "a", "/%", "/%2", "/%zz", "/%2f", "/%2F", "/%00", "/?a=%00", "/%ff", "/?a=%c3", "/a b", "/a\"b", "/<", "/a#b",
    "/\u{1}", "/é", "/{x}", "/a|b", "/a\\b", "/a^b", "http://", "http://host", "http:///a", "ftp://host/", "host:443",
  ])
  func malformedTargetsAreRefused(text: String) { #expect(throws: RequestProblem.self) { try target(text) } }
}
