import Testing
import WireCorpus

@testable import HTTP

/// Does to a head what libmicrohttpd 0.9.75 does to it in place, as far as it is well formed: see `RequestHead`.
private func parse(_ raw: String) throws(RequestProblem) -> RequestHead {
  var block = Array(raw.utf8)
  func replace(_ index: Int?) { if let index { block[index] = 0 } }
  let firstLine = block.firstIndex(of: 10) ?? block.count
  let space = block.firstIndex(of: 32) ?? 0
  let lastSpace = block[..<firstLine].lastIndex(of: 32) ?? 0
  replace(space)
  replace(lastSpace)
  var lineStart = firstLine + 1
  for index in block.indices where block[index] == 10 {
    if index > firstLine {
      let line = lineStart..<index
      replace(block[line].firstIndex(of: UInt8(ascii: ":")))
      lineStart = index + 1
    }
    if index > 0, block[index - 1] == 13 { block[index - 1] = 0 }
    block[index] = 0
  }
  // libmicrohttpd passes over further spaces, and its target is a C string.
  let target = block[(space + 1)...].firstIndex { $0 != 32 } ?? space + 1
  let targetEnd = block[target...].firstIndex(of: 0) ?? target
  let result = block.withUnsafeBytes { bytes -> Result<RequestHead, RequestProblem> in
    do throws(RequestProblem) {
      return .success(try RequestHead(block: bytes, target: target..<max(target, targetEnd), version: lastSpace + 1))
    } catch {
      return .failure(error)
    }
  }
  return try result.get()
}

@Suite struct RequestHeadTests {
  @Test func aHeadIsRead() throws {
    let head = try parse(
      "POST /a?b HTTP/1.1\r\nHost: h:80\r\ncontent-length:  12 \r\nX-Request-Id: abc-1\r\nEmpty:\r\n"
        + "expect: 100-continue\r\n\r\n")
    #expect(head.method == .post)
    #expect(head.minorVersion == 1)
    #expect(head.contentLength == 12)
    #expect(head.expectsContinue)
    #expect(head.requestID == "abc-1")
    #expect(
      head.headers.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
        == "Host=h:80|content-length=12|X-Request-Id=abc-1|Empty=|expect=100-continue")
  }

  @Test func chunkedHasNoLengthAndNoBodyHasLengthZero() throws {
    #expect(try parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n").contentLength == nil)
    #expect(try parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n").contentLength == 0)
    #expect(try parse("GET / HTTP/1.0\r\n\r\n").minorVersion == 0)
  }

  @Test(arguments: ["", "a b", "a/b", "é", String(repeating: "x", count: 129)])
  func malformedRequestIDsAreNotTaken(id: String) throws {
    #expect(try parse("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: \(id)\r\n\r\n").requestID == nil)
  }

  @Test(arguments: RefusedRequest.corpus) func whatBreaksTheRulesIsRefused(sample: RefusedRequest) {
    guard sample.isSeenInTheHead else { return }
    #expect(throws: RequestProblem.self) { try parse(sample.head) }
  }
}
