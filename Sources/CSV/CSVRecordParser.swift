/// Divides bytes into records by RFC 4180, wherever the stream is cut; pure.
///
/// A record ends with CR LF, LF or CR. Empty lines are passed over. One record is held at a time, in storage that is used
/// again for the next.
struct CSVRecordParser: Sendable {
  private enum State {
    case fieldStart, unquoted, quoted
    /// A quote within quotes: the first of two, or the closing one.
    case quoteInQuotes
    /// The line feed of a CR LF may follow.
    case carriageReturn
  }

  private static let quote = UInt8(ascii: "\"")
  private static let lineFeed = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  let delimiter: UInt8
  let limits: CSVLimits
  private var state = State.fieldStart
  private var isComplete = false
  private var hasQuotes = false
  /// The field is too long: nothing of it is kept, so that what is kept does not depend on where the text is cut.
  private var isFieldDropped = false
  /// Bytes of the record in chunks before this one, as they were sent.
  private var size = 0
  /// Where in this chunk the record begins, or goes on.
  private var start = 0
  /// The fields of the record one after the other, without quotes.
  private(set) var content: [UInt8] = []
  /// Where each field ends in `content`.
  private(set) var ends: [Int] = []
  /// The first thing that is wrong with the record.
  private(set) var flaw: CSVFlaw?

  init(delimiter: UInt8, limits: CSVLimits) {
    self.delimiter = delimiter
    self.limits = limits
  }

  /// Reads on from `offset`, and moves it.
  ///
  /// - Returns: whether a record is complete; false when the chunk is used up.
  mutating func next(_ chunk: [UInt8], from offset: inout Int) throws(CSVError) -> Bool {
    if isComplete { clear() }
    start = offset
    let isFound = chunk.withUnsafeBufferPointer { scan($0, &offset) }
    size += offset - start
    if size > limits.record { throw .recordTooLong(limit: limits.record) }
    return isFound
  }

  /// Says that nothing more comes.
  ///
  /// - Returns: whether that completes a record.
  mutating func finish() throws(CSVError) -> Bool {
    if isComplete { clear() }
    switch state {
    case .quoted: throw .unterminatedQuote
    case .carriageReturn: return false
    case .fieldStart where ends.isEmpty: return false
    case .fieldStart, .unquoted, .quoteInQuotes: return endRecord()
    }
  }

  private mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int) -> Bool {
    while position < bytes.count {
      switch state {
      case .carriageReturn:
        state = .fieldStart
        if bytes[position] == Self.lineFeed { position += 1 }
      case .fieldStart:
        state = .unquoted
        if bytes[position] == Self.quote {
          state = .quoted
          hasQuotes = true
          position += 1
        }
      case .unquoted:
        let start = position
        while position < bytes.count, !isSpecial(bytes[position]) { position += 1 }
        append(bytes[start..<position])
        guard position < bytes.count else { return false }
        position += 1
        if bytes[position - 1] == Self.quote {
          note(.strayQuote)
          append(bytes[position - 1..<position])
        } else if endField(bytes[position - 1], at: position) {
          return true
        }
      case .quoted:
        let start = position
        while position < bytes.count, bytes[position] != Self.quote { position += 1 }
        append(bytes[start..<position])
        guard position < bytes.count else { return false }
        position += 1
        state = .quoteInQuotes
      case .quoteInQuotes:
        if bytes[position] == Self.quote {
          append(bytes[position...position])
          state = .quoted
          position += 1
        } else if isSpecial(bytes[position]) {
          position += 1
          if endField(bytes[position - 1], at: position) { return true }
        } else {
          note(.textAfterQuote)
          state = .unquoted
        }
      }
    }
    return false
  }

  private func isSpecial(_ byte: UInt8) -> Bool {
    byte == delimiter || byte == Self.lineFeed || byte == Self.carriageReturn || byte == Self.quote
  }

  /// - Returns: whether the byte that ends the field ends a record that is not empty, too.
  private mutating func endField(_ byte: UInt8, at position: Int) -> Bool {
    if byte == delimiter {
      closeField()
      state = .fieldStart
      return false
    }
    let isRecord = endRecord()
    state = byte == Self.carriageReturn ? .carriageReturn : .fieldStart
    if !isRecord { start = position }
    return isRecord
  }

  private mutating func endRecord() -> Bool {
    closeField()
    state = .fieldStart
    if ends.count == 1, content.isEmpty, !hasQuotes {
      clear()
      return false
    }
    isComplete = true
    return true
  }

  private mutating func closeField() {
    isFieldDropped = false
    if ends.count < limits.fields { ends.append(content.count) } else { note(.tooManyFields(limit: limits.fields)) }
  }

  private mutating func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
    if isFieldDropped { return }
    let start = ends.last ?? 0
    if content.count - start + bytes.count > limits.field {
      note(.fieldTooLong(limit: limits.field))
      content.removeSubrange(start...)
      isFieldDropped = true
    } else {
      content.append(contentsOf: UnsafeBufferPointer(rebasing: bytes))
    }
  }

  private mutating func note(_ flaw: CSVFlaw) { self.flaw = self.flaw ?? flaw }

  private mutating func clear() {
    content.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    flaw = nil
    hasQuotes = false
    isFieldDropped = false
    isComplete = false
    size = 0
  }
}
