/// Reads a CSV text as it arrives: finds out its encoding and delimiter, its header, and then record by record.
///
/// ```swift
/// var reader = CSVReader()
/// for try await chunk in body {
///   var offset = 0
///   while try reader.next(chunk, from: &offset) { use(reader.text(0)) }
/// }
/// if try reader.finish() { use(reader.text(0)) }
/// ```
/// `next` is true once for each record below the header, which `header` has by then. What it finds does not depend on where the
/// text is cut into chunks. Memory holds one record, within `CSVLimits`.
public struct CSVReader: Sendable {
  private let limits: CSVLimits
  /// What has come of the header's line; empty once it is complete.
  private var head: [UInt8] = []
  private var isWithinQuotes = false
  private var isAtStart = true
  private var records: CSVRecordParser?
  /// Nil while every byte was ASCII.
  public private(set) var encoding: CSVEncoding?
  /// The names of the columns, without white space at their ends; nil while the header's line is not complete.
  public private(set) var header: [String]?
  /// Records below the header that have been read.
  public private(set) var row: Int64 = 0
  /// What is wrong with the record.
  public private(set) var flaw: CSVFlaw?

  /// - Parameter encoding: where it is known; otherwise a byte order mark, or the first record with other characters than
  ///   ASCII, tells.
  public init(encoding: CSVEncoding? = nil, limits: CSVLimits = CSVLimits()) {
    self.encoding = encoding
    self.limits = limits
  }

  /// The delimiter: a comma, a semicolon or a tab; nil while the header's line is not complete.
  public var delimiter: Character? { records.map { Character(Unicode.Scalar($0.delimiter)) } }

  /// Reads on from `offset`, and moves it.
  ///
  /// - Returns: whether a record is complete; false when the chunk is used up.
  /// - Throws: what makes the rest of the text unreadable; `row` records were read before it.
  public mutating func next(_ chunk: [UInt8], from offset: inout Int) throws(CSVError) -> Bool {
    while records == nil {
      guard offset < chunk.count else { return false }
      try readHead(chunk, from: &offset)
    }
    guard try records?.next(chunk, from: &offset) == true else { return false }
    take()
    return true
  }

  /// Says that nothing more comes.
  ///
  /// - Returns: whether that completes a record.
  public mutating func finish() throws(CSVError) -> Bool {
    if records == nil {
      try settleStart(isAll: true)
      guard !head.isEmpty else { throw .noHeader }
      if isWithinQuotes { throw .unterminatedQuote }
      try endHead()
    }
    guard try records?.finish() == true else { return false }
    take()
    return true
  }

  // MARK: The record

  public var fieldCount: Int { records?.ends.count ?? 0 }

  /// A field's text; nil when there is no such field, or its bytes are not of the text's encoding.
  public func text(_ index: Int) -> String? {
    withField(index) { (encoding ?? .utf8).text($0) } ?? nil
  }

  public func isEmpty(_ index: Int) -> Bool { withField(index) { $0.isEmpty } ?? true }

  /// Appends the record in a form that is another one whenever a field is.
  public func append(to bytes: inout [UInt8]) {
    guard let records else { return }
    for end in records.ends { withUnsafeBytes(of: UInt32(truncatingIfNeeded: end).bigEndian) { bytes += $0 } }
    bytes += records.content
  }

  private func withField<Result>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
    guard let records, records.ends.indices.contains(index) else { return nil }
    let start = index == 0 ? 0 : records.ends[index - 1]
    return records.content.withUnsafeBufferPointer { bytes in
      body(UnsafeBufferPointer(rebasing: bytes[start..<records.ends[index]]))
    }
  }

  private mutating func take() {
    row += 1
    flaw = records?.flaw
    settleEncoding()
  }

  /// The first characters that are not ASCII decide; those after them must be of the same encoding.
  private mutating func settleEncoding() {
    guard encoding != .latin1, let records, records.content.contains(where: { $0 >= 0x80 }) else { return }
    let isUTF8 = (0..<fieldCount).allSatisfy { index in withField(index) { CSVEncoding.utf8.text($0) != nil } ?? true }
    if encoding == nil {
      encoding = isUTF8 ? .utf8 : .latin1
    } else if !isUTF8 {
      flaw = flaw ?? .invalidEncoding
    }
  }

  // MARK: The header

  private mutating func readHead(_ chunk: [UInt8], from offset: inout Int) throws(CSVError) {
    while offset < chunk.count {
      let byte = chunk[offset]
      offset += 1
      head.append(byte)
      if head.count > limits.header { throw .headerTooLong(limit: limits.header) }
      try settleStart(isAll: false)
      if byte == UInt8(ascii: "\"") { isWithinQuotes.toggle() }
      let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      guard isLineEnd, !isWithinQuotes else { continue }
      try settleStart(isAll: true)
      // Empty lines above the header.
      if head.count == 1 { head.removeAll() } else { return try endHead() }
    }
  }

  /// Looks for a byte order mark once enough bytes have come.
  private mutating func settleStart(isAll: Bool) throws(CSVError) {
    guard isAtStart, isAll || head.count == 3 else { return }
    isAtStart = false
    if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) { throw .unsupportedEncoding("UTF-16") }
    guard head.starts(with: [0xEF, 0xBB, 0xBF]) else { return }
    encoding = .utf8
    head.removeFirst(3)
  }

  private mutating func endHead() throws(CSVError) {
    var parser = CSVRecordParser(delimiter: Self.delimiter(of: head), limits: limits)
    var offset = 0
    let isComplete = try parser.next(head, from: &offset)
    if !isComplete { _ = try parser.finish() }
    head = []
    records = parser
    flaw = parser.flaw
    settleEncoding()
    if let flaw { throw .malformedHeader(flaw) }
    header = (0..<fieldCount).map { (text($0) ?? "\u{FFFD}").trimmed }
  }

  /// The candidate that stands most often outside quotes; a comma where none does.
  private static func delimiter(of line: [UInt8]) -> UInt8 {
    let candidates = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    var counts = [0, 0, 0]
    var isWithinQuotes = false
    for byte in line {
      if byte == UInt8(ascii: "\"") { isWithinQuotes.toggle() }
      if !isWithinQuotes, let index = candidates.firstIndex(of: byte) { counts[index] += 1 }
    }
    let most = counts.max() ?? 0
    return candidates[counts.firstIndex(of: most) ?? 0]
  }
}

extension String {
  /// Without white space at either end.
  fileprivate var trimmed: String {
    guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace }) else {
      return ""
    }
    return String(self[start...end])
  }
}
