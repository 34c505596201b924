import Testing

/// A request that must be refused with 400 and the end of the connection.
struct Sample: Sendable, CustomTestStringConvertible {
  let name: String
  let head: String
  /// Whether the pure parser of heads sees it; otherwise the target's parser or libmicrohttpd does.
  var isSeenInTheHead = true
  /// What libmicrohttpd answers where it refuses by itself, before this code is asked; 0 when it only closes.
  var status = 400

  init(_ name: String, _ head: String, seenInTheHead: Bool = true, status: Int = 400) {
    self.name = name
    self.head = head
    isSeenInTheHead = seenInTheHead
    self.status = status
  }

  /// How the answer begins.
  var expected: String { status == 0 ? "" : "HTTP/1.1 \(status) " }

  var testDescription: String { name }
}

private func post(_ lines: String...) -> String {
  (["POST /echo HTTP/1.1", "Host: h"] + lines).joined(separator: "\r\n") + "\r\n\r\n"
}

let strictCorpus: [Sample] = [
  Sample("two equal lengths", post("Content-Length: 1", "Content-Length: 1") + "x"),
  Sample("two different lengths", post("Content-Length: 1", "content-length: 2") + "xx"),
  Sample("a list of lengths", post("Content-Length: 1, 1") + "x"),
  Sample("a negative length", post("Content-Length: -1")),
  Sample("a length with a sign", post("Content-Length: +1") + "x"),
  Sample("a length in letters", post("Content-Length: one")),
  Sample("a hexadecimal length", post("Content-Length: 0x1") + "x"),
  Sample("an empty length", post("Content-Length:")),
  Sample("a length out of range", post("Content-Length: 99999999999999999999"), status: 413),
  Sample("a length beside chunks", post("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
  Sample("chunks beside a length", post("Transfer-Encoding: chunked", "Content-Length: 5") + "0\r\n\r\n"),
  Sample("another coding", post("Transfer-Encoding: gzip")),
  Sample("two codings", post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n"),
  Sample("chunked twice", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
  Sample("chunked with more", post("Transfer-Encoding: xchunked") + "0\r\n\r\n"),
  Sample("identity", post("Transfer-Encoding: identity")),
  Sample("chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  Sample("no Host", "GET /hello HTTP/1.1\r\nAccept: */*\r\n\r\n"),
  Sample("two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
  Sample("a Host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
  Sample("a Host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"),
  Sample("NUL in a value", post("X-A: a\0b")),
  Sample("NUL at a value's end", post("X-A: a\0")),
  Sample("NUL for a value", post("X-A: \0")),
  Sample("NUL in a name", post("X\0A: a")),
  Sample("NUL at a line's start", post("\0X-A: a")),
  Sample("NUL in the target", "GET /hel\0lo HTTP/1.1\r\nHost: h\r\n\r\n"),
  Sample("NUL in the method", "G\0ET /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
  Sample("a control byte in a value", post("X-A: a\u{1}b")),
  Sample("DEL in a value", post("X-A: a\u{7F}b")),
  Sample("a bare CR in a value", post("X-A: a\rX-B: b")),
  Sample("a bare CR at a value's end", post("X-A: a\r")),
  Sample("a control byte in a name", post("X\u{1}A: a")),
  Sample("a folded line", post("X-A: a", " b")),
  Sample("a folded line with a tab", post("X-A: a", "\tb")),
  Sample("a folded line that hides a header", post("X-A: a", " Content-Length: 5")),
  Sample("a folded first line", "GET /hello HTTP/1.1\r\n Host: h\r\n\r\n"),
  Sample("bare LF after the request line", "GET /hello HTTP/1.1\nHost: h\r\n\r\n"),
  Sample("bare LF after a header", "GET /hello HTTP/1.1\r\nHost: h\nX-A: a\r\n\r\n"),
  Sample("bare LF after the last header", "GET /hello HTTP/1.1\r\nHost: h\n\r\n"),
  Sample("bare LF after an empty value", "GET /hello HTTP/1.1\r\nHost: h\r\nX-A:\n\r\n"),
  Sample("bare LF for the empty line", "GET /hello HTTP/1.1\r\nHost: h\r\n\n"),
  Sample("bare LF throughout", "GET /hello HTTP/1.1\nHost: h\n\n"),
  Sample("a space before the colon", post("X-A : a")),
  Sample("a tab before the colon", post("X-A\t: a")),
  Sample("a space before the colon of a length", post("Content-Length : 1") + "x"),
  Sample("a space in a name", post("X A: a")),
  Sample("an empty name", post(": a")),
  Sample("a line without a colon", post("X-A")),
  Sample("bytes above ASCII in a name", post("X-é: a")),
  Sample("a method that is no token", "G@T /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
  Sample("an empty method", " /hello HTTP/1.1\r\nHost: h\r\n\r\n", status: 0),
  Sample("two spaces before the target", "GET  /hello HTTP/1.1\r\nHost: h\r\n\r\n"),
  Sample("two spaces before the version", "GET /hello  HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a space after the version", "GET /hello HTTP/1.1 \r\nHost: h\r\n\r\n"),
  Sample("a tab for a space", "GET\t/hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a space in the target", "GET /hello world HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a control byte in the target", "GET /hel\u{1}lo HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("bytes above ASCII in the target", "GET /é HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a fragment", "GET /hello#a HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a target without a slash", "GET hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("an incomplete escape", "GET /hello%2 HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("an escaped slash", "GET /a%2Fb HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("an escaped NUL", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("an escape that is not UTF-8", "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a query that is not UTF-8", "GET /hello?a=%c3 HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("HTTP/1.2", "GET /hello HTTP/1.2\r\nHost: h\r\n\r\n"),
  Sample("HTTP/2.0", "GET /hello HTTP/2.0\r\nHost: h\r\n\r\n", status: 505),
  Sample("HTTP/0.9", "GET /hello HTTP/0.9\r\nHost: h\r\n\r\n", status: 505),
  Sample("a version in small letters", "GET /hello http/1.1\r\nHost: h\r\n\r\n"),
  Sample("no version", "GET /hello\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("noise before the request line", "\0noise\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("many empty lines before it", "\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
  Sample("a bare LF before it", "\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n", seenInTheHead: false),
]
