/// A request that must be refused with 400 and the end of the connection: two readers could take it differently, and
/// smuggle another behind it.
package struct RefusedRequest: Sendable, CustomStringConvertible {
  package let name: String
  package let head: String
  /// Whether the pure parser of heads sees it; otherwise the target's parser or libmicrohttpd does.
  package let isSeenInTheHead: Bool
  /// What libmicrohttpd answers where it refuses by itself, before this code is asked; 0 when it only closes.
  package let status: Int

  private init(_ name: String, _ head: String, seenInTheHead: Bool = true, status: Int = 400) {
    self.name = name
    self.head = head
    isSeenInTheHead = seenInTheHead
    self.status = status
  }

  package var description: String { name }

  /// How the answer begins.
  package var expected: String { status == 0 ? "" : "HTTP/1.1 \(status) " }

  private static func post(_ lines: String...) -> String {
    (["POST /echo HTTP/1.1", "Host: h"] + lines).joined(separator: "\r\n") + "\r\n\r\n"
  }

  package static let corpus: [RefusedRequest] = [
    RefusedRequest("two equal lengths", post("Content-Length: 1", "Content-Length: 1") + "x"),
    RefusedRequest("two different lengths", post("Content-Length: 1", "content-length: 2") + "xx"),
    RefusedRequest("a list of lengths", post("Content-Length: 1, 1") + "x"),
    RefusedRequest("a negative length", post("Content-Length: -1")),
    RefusedRequest("a length with a sign", post("Content-Length: +1") + "x"),
    RefusedRequest("a length in letters", post("Content-Length: one")),
    RefusedRequest("a hexadecimal length", post("Content-Length: 0x1") + "x"),
    RefusedRequest("an empty length", post("Content-Length:")),
    RefusedRequest("a length out of range", post("Content-Length: 99999999999999999999"), status: 413),
    RefusedRequest("a length beside chunks", post("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
    RefusedRequest("chunks beside a length", post("Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n"),
    RefusedRequest("another coding", post("Transfer-Encoding: gzip")),
    RefusedRequest("two codings", post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n"),
    RefusedRequest("chunked twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
    RefusedRequest("chunked with more", post("Transfer-Encoding: xchunked") + "0\r\n\r\n"),
    RefusedRequest("identity", post("Transfer-Encoding: identity")),
    RefusedRequest("chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    RefusedRequest("no Host", "GET /hello HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    RefusedRequest("two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    RefusedRequest("a Host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    RefusedRequest("a Host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"),
    RefusedRequest("NUL in a value", post("X-A: a\0b")),
    RefusedRequest("NUL at a value's end", post("X-A: a\0")),
    RefusedRequest("NUL for a value", post("X-A: \0")),
    RefusedRequest("NUL in a name", post("X\0A: a")),
    RefusedRequest("NUL at a line's start", post("\0X-A: a")),
    RefusedRequest("NUL in the target", "GET /hel\0lo HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest("NUL in the method", "G\0ET /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest("a control byte in a value", post("X-A: a\u{1}b")),
    RefusedRequest("DEL in a value", post("X-A: a\u{7F}b")),
    RefusedRequest("a bare CR in a value", post("X-A: a\rX-B: b")),
    RefusedRequest("a bare CR at a value's end", post("X-A: a\r")),
    RefusedRequest("a control byte in a name", post("X\u{1}A: a")),
    RefusedRequest("a folded line", post("X-A: a", " b")),
    RefusedRequest("a folded line with a tab", post("X-A: a", "\tb")),
    RefusedRequest("a folded line that hides a header", post("X-A: a", " Content-Length: 5")),
    RefusedRequest("a folded first line", "GET /hello HTTP/1.1\r\n Host: h\r\n\r\n"),
    RefusedRequest("bare LF after the request line", "GET /hello HTTP/1.1\nHost: h\r\n\r\n"),
    RefusedRequest("bare LF after a header", "GET /hello HTTP/1.1\r\nHost: h\nX-A: a\r\n\r\n"),
    RefusedRequest("bare LF after the last header", "GET /hello HTTP/1.1\r\nHost: h\n\r\n"),
    RefusedRequest("bare LF after an empty value", "GET /hello HTTP/1.1\r\nHost: h\r\nX-A:\n\r\n"),
    RefusedRequest("bare LF for the empty line", "GET /hello HTTP/1.1\r\nHost: h\r\n\n"),
    RefusedRequest("bare LF throughout", "GET /hello HTTP/1.1\nHost: h\n\n"),
    RefusedRequest("a space before the colon", post("X-A : a")),
    RefusedRequest("a tab before the colon", post("X-A\t: a")),
    RefusedRequest("a space before the colon of a length", post("Content-Length : 1") + "x"),
    RefusedRequest("a space in a name", post("X A: a")),
    RefusedRequest("an empty name", post(": a")),
    RefusedRequest("a line without a colon", post("X-A")),
    RefusedRequest("bytes above ASCII in a name", post("X-é: a")),
    RefusedRequest("a method that is no token", "G@T /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest("an empty method", " /hello HTTP/1.1\r\nHost: h\r\n\r\n", status: 0),
    RefusedRequest("two spaces before the target", "GET  /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest("two spaces before the version", "GET /hello  HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a space after the version", "GET /hello HTTP/1.1 \r\nHost: h\r\n\r\n"),
    RefusedRequest("a tab for a space", "GET\t/hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a space in the target", "GET /hello world HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a control byte in the target", "GET /hel\u{1}lo HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("bytes above ASCII in the target", "GET /é HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a fragment", "GET /hello#a HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a target without a slash", "GET hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("an incomplete escape", "GET /hello%2 HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("an escaped slash", "GET /a%2Fb HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("an escaped NUL", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("an escape that is not UTF-8", "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a query that is not UTF-8", "GET /hello?a=%c3 HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("HTTP/1.2", "GET /hello HTTP/1.2\r\nHost: h\r\n\r\n"),
    RefusedRequest("HTTP/2.0", "GET /hello HTTP/2.0\r\nHost: h\r\n\r\n", status: 505),
    RefusedRequest("HTTP/0.9", "GET /hello HTTP/0.9\r\nHost: h\r\n\r\n", status: 505),
    RefusedRequest("a version in small letters", "GET /hello http/1.1\r\nHost: h\r\n\r\n"),
    RefusedRequest("no version", "GET /hello\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest(
      "noise before the request line", "\0noise\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest(
      "many empty lines before it", "\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
    RefusedRequest("a bare LF before it", "\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  ]
}
