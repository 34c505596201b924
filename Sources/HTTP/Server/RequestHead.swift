/// A request's head that obeys RFC 9112, read from memory as libmicrohttpd leaves it; pure.
///
/// libmicrohttpd 0.9.75 accepts much that smuggles requests past others: bare line feeds, folded lines, NUL, two lengths,
/// a length beside chunks. It parses in place, though, and leaves the whole head in one block in which it has only
/// replaced the separators by NUL: the space after the method, the space before the version, the colons, and every
/// byte of a line's end. So the block is read again here: CR LF shows as two NULs, a bare LF as one, and whatever
/// else breaks the pattern is refused. One thing looks like a proper line end and is not: a NUL before a bare LF.
struct RequestHead {
  var method: HTTPMethod
  /// 0 or 1, of HTTP/1.x.
  var minorVersion: Int
  var headers: HTTPHeaders
  /// The bytes of the body; 0 when there is none, `nil` when it comes in chunks.
  var contentLength: Int?
  /// The client waits for `100 Continue` before it sends the body.
  var expectsContinue: Bool
  /// The client's `X-Request-Id`, if well formed.
  var requestID: String?

  /// Reads a head.
  ///
  /// - Parameters:
  ///   - block: from the first byte of the method to the last of the empty line.
  ///   - target: where libmicrohttpd found the request target in the block.
  ///   - version: where it found `HTTP/1.x`.
  init(block: UnsafeRawBufferPointer, target: Range<Int>, version: Int) throws(RequestProblem) {
    minorVersion = try Self.checkRequestLine(block, target: target, version: version)
    method = HTTPMethod(rawValue: String(decoding: block[..<(target.lowerBound - 1)], as: UTF8.self))
    var scan = FieldScan(block: UnsafeRawBufferPointer(rebasing: block[(version + 10)...]))
    try scan.run()
    let framing = try scan.framing(minorVersion: minorVersion)
    contentLength = framing.contentLength
    headers = HTTPHeaders(bytes: scan.copiedBytes(), fields: scan.fields)
    expectsContinue = scan.hasExpect && headers["Expect"]?.lowercased() == "100-continue"
    if scan.hasRequestID, let id = headers["X-Request-Id"], Self.isValidRequestID(id) { requestID = id }
  }

  /// Checks that nothing lies between method, target, version and line end but one separator each.
  private static func checkRequestLine(
    _ block: UnsafeRawBufferPointer, target: Range<Int>, version: Int
  ) throws(RequestProblem) -> Int {
    guard target.lowerBound >= 2, version == target.upperBound + 1, version + 12 <= block.count,
      block[..<(target.lowerBound - 1)].allSatisfy(CharacterClass.token.contains),
      block[target.lowerBound - 1] == 0, block[target.upperBound] == 0
    else { throw .malformed("malformed request line") }
    guard block[version..<(version + 7)].elementsEqual("HTTP/1.".utf8) else {
      throw .malformed("HTTP version not supported")
    }
    let minor = block[version + 7] &- UInt8(ascii: "0")
    guard minor <= 1 else { throw .malformed("HTTP version not supported") }
    guard block[version + 8] == 0, block[version + 9] == 0 else { throw .malformed("lines must end with CR LF") }
    return Int(minor)
  }

  static func isValidRequestID(_ id: String) -> Bool {
    (1...128).contains(id.utf8.count) && id.utf8.allSatisfy { CharacterClass.requestID.contains($0) }
  }
}

/// The walk over the header lines of a head.
private struct FieldScan {
  let block: UnsafeRawBufferPointer
  private(set) var fields: [HTTPHeaders.Field] = []
  private(set) var hasExpect = false
  private(set) var hasRequestID = false
  private var lengths = 0
  private var lengthValue: Range<Int> = 0..<0
  private var codings = 0
  private var codingValue: Range<Int> = 0..<0
  private var hosts = 0

  init(block: UnsafeRawBufferPointer) {
    self.block = block
    fields.reserveCapacity(12)
  }

  mutating func run() throws(RequestProblem) {
    var position = 0
    while position < block.count, block[position] != 0 {
      let name = try nameRange(from: position)
      let (value, end) = try valueRange(from: name.upperBound + 1)
      try note(name, value)
      fields.append(
        HTTPHeaders.Field(
          name: UInt32(name.lowerBound)..<UInt32(name.upperBound),
          value: UInt32(value.lowerBound)..<UInt32(value.upperBound)))
      position = end
    }
    guard position + 2 == block.count, block[position] == 0, block[position + 1] == 0 else {
      throw .malformed("malformed header lines")
    }
  }

  /// A name runs to the NUL that was the colon. White space before the colon or at the line's start is no name.
  private func nameRange(from start: Int) throws(RequestProblem) -> Range<Int> {
    var index = start
    while index < block.count, CharacterClass.token.contains(block[index]) { index += 1 }
    guard index > start, index < block.count, block[index] == 0 else { throw .malformed("malformed header name") }
    return start..<index
  }

  /// A value runs to the first of the two NULs that were CR LF; white space around it is not part of it.
  private func valueRange(from start: Int) throws(RequestProblem) -> (Range<Int>, next: Int) {
    var index = start
    while index < block.count, CharacterClass.fieldValue.contains(block[index]) { index += 1 }
    guard index + 1 < block.count, block[index] == 0 else { throw .malformed("control character in a header") }
    guard block[index + 1] == 0 else { throw .malformed("lines must end with CR LF") }
    var lower = start
    var upper = index
    while lower < upper, block[lower] == 0x20 || block[lower] == 0x09 { lower += 1 }
    while upper > lower, block[upper - 1] == 0x20 || block[upper - 1] == 0x09 { upper -= 1 }
    return (lower..<upper, index + 2)
  }

  private mutating func note(_ name: Range<Int>, _ value: Range<Int>) throws(RequestProblem) {
    switch name.count {
    case 4 where matches(name, "host"):
      hosts += 1
      guard block[value].allSatisfy(CharacterClass.host.contains) else { throw .malformed("malformed Host") }
    case 6 where matches(name, "expect"):
      hasExpect = true
    case 12 where matches(name, "x-request-id"):
      hasRequestID = true
    case 14 where matches(name, "content-length"):
      lengths += 1
      lengthValue = value
    case 17 where matches(name, "transfer-encoding"):
      codings += 1
      codingValue = value
    default: break
    }
  }

  /// Decides where the body ends, and refuses whatever another reader might decide differently.
  func framing(minorVersion: Int) throws(RequestProblem) -> (contentLength: Int?, Void) {
    guard hosts == 1 || (hosts == 0 && minorVersion == 0) else {
      throw .malformed(hosts == 0 ? "no Host header" : "more than one Host header")
    }
    guard lengths <= 1 else { throw .malformed("more than one Content-Length") }
    guard codings <= 1 else { throw .malformed("more than one Transfer-Encoding") }
    guard lengths == 0 || codings == 0 else { throw .malformed("Content-Length beside Transfer-Encoding") }
    if codings == 1 {
      guard minorVersion == 1 else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
      guard codingValue.count == 7, matches(codingValue, "chunked") else {
        throw .malformed("Transfer-Encoding other than chunked")
      }
      return (nil, ())
    }
    return (lengths == 1 ? try decimal(lengthValue) : 0, ())
  }

  private func decimal(_ range: Range<Int>) throws(RequestProblem) -> Int {
    guard !range.isEmpty else { throw .malformed("malformed Content-Length") }
    var value = 0
    for byte in block[range] {
      let digit = byte &- UInt8(ascii: "0")
      guard digit <= 9 else { throw .malformed("malformed Content-Length") }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(digit))
      guard !overflow, !carry else { throw .malformed("Content-Length out of range") }
      value = sum
    }
    return value
  }

  private func matches(_ range: Range<Int>, _ lowercase: StaticString) -> Bool {
    lowercase.withUTF8Buffer { expected in
      var index = range.lowerBound
      for byte in expected {
        if CharacterClass.lowercased(block[index]) != byte { return false }
        index += 1
      }
      return true
    }
  }

  /// The block, with a NUL after every value also where white space was cut off.
  func copiedBytes() -> [UInt8] {
    var bytes = [UInt8](block)
    for field in fields { bytes[Int(field.value.upperBound)] = 0 }
    return bytes
  }
}
