import CivilTime
import Crypto
import JSON
import Runtime
import Synchronization

/// A piece of the ledger as it was when it was asked for: a reset or further lines do not change what is read.
struct LedgerExtract: Sendable {
  let file: AppendFile
  /// Where its lines lie, in order.
  let ranges: [Range<UInt64>]

  /// Reads the next bytes, at most about `limit`; blocking.
  ///
  /// - Parameter position: moved past what was read; starts as `Position()`.
  /// - Returns: nil at the end.
  func next(_ position: inout Position, limit: Int) throws(FileError) -> [UInt8]? {
    var bytes: [UInt8] = []
    while position.range < ranges.count, bytes.count < limit {
      let range = ranges[position.range]
      let start = range.lowerBound + position.offset
      let count = Int(min(range.upperBound - start, UInt64(limit - bytes.count)))
      let piece = try file.read(at: start, count: count)
      guard piece.count == count else { throw FileError(message: "\(file.path) is shorter than its index") }
      if bytes.isEmpty { bytes = piece } else { bytes += piece }
      position.offset += UInt64(count)
      if start + UInt64(count) == range.upperBound { position = Position(range: position.range + 1) }
    }
    return bytes.isEmpty ? nil : bytes
  }

  struct Position: Sendable {
    var range = 0
    var offset: UInt64 = 0
  }
}

/// What is known of a message when its receipt, or its state, is asked for.
struct LedgerEntry: Sendable {
  let line: ScannedLine
  let plan: ReceiptPlan
  let callbackURL: String?
  let reported: Bool
}

extension Ledger {
  /// All lines after a sequence number.
  func extract(after seq: UInt32) -> LedgerExtract {
    state.withLock { state in
      guard let first = state.book.record(seq &+ 1) else { return LedgerExtract(file: state.file, ranges: []) }
      return LedgerExtract(file: state.file, ranges: [first.offset..<state.end])
    }
  }

  /// The lines of a send id after a sequence number.
  func extract(ofSend sendID: String, after seq: UInt32) -> LedgerExtract {
    let key = MessageRequest.indexKey(sendID)
    return state.withLock { state in
      let lines = state.book.lines(ofSend: key).filter { $0 > seq }
      return LedgerExtract(file: state.file, ranges: lines.map { state.range($0) })
    }
  }

  /// The messages that calls with this send id made, in order.
  func messages(ofSend sendID: String) -> [VendorMessageID] {
    let key = MessageRequest.indexKey(sendID)
    return state.withLock { state in
      state.book.lines(ofSend: key)
        .filter { state.book.record($0)?.effective == true }
        .map { VendorMessageID(ledger: state.book.ledger, seq: $0) }
    }
  }

  /// Reads a message's line; blocking.
  ///
  /// - Returns: nil when this ledger has no such message.
  func entry(_ id: VendorMessageID) throws(FileError) -> LedgerEntry? {
    let found = state.withLock { state -> (AppendFile, Range<UInt64>, Behaviour, String?, Bool)? in
      guard id.ledger == state.book.ledger, let record = state.book.record(id.seq), record.effective else { return nil }
      return (
        state.file, state.range(id.seq), state.journal.behaviours.behaviour(at: id.seq),
        state.journal.callbacks[id.seq], record.reported
      )
    }
    guard let (file, range, behaviour, callbackURL, reported) = found else { return nil }
    let bytes = try file.read(at: range.lowerBound, count: range.count - 1)
    guard let line = ScannedLine(bytes) else {
      throw FileError(message: "line \(id.seq) of \(file.path) cannot be read")
    }
    return LedgerEntry(
      line: line, plan: ReceiptPlan(id, acceptedAt: line.at, behaviour), callbackURL: callbackURL, reported: reported)
  }

  /// Messages whose receipts are not reported, found a page at a time.
  ///
  /// - Parameter after: where to go on; moved to the last message looked at.
  func unreported(after seq: inout UInt32, limit: Int) -> [VendorMessageID] {
    let start = seq
    let (ids, last) = state.withLock { state in
      var ids: [VendorMessageID] = []
      var last = start
      while ids.count < limit, let record = state.book.record(last + 1) {
        last += 1
        if record.effective, !record.reported { ids.append(VendorMessageID(ledger: state.book.ledger, seq: last)) }
      }
      return (ids, last)
    }
    seq = last
    return ids
  }
}

extension Ledger.State {
  /// The bytes of a line that exists, its line end included.
  func range(_ seq: UInt32) -> Range<UInt64> {
    guard let record = book.record(seq) else { return end..<end }
    return record.offset..<(book.record(seq + 1)?.offset ?? end)
  }
}

extension Ledger {
  /// As `entry`, for tasks: the reading happens on a thread for that.
  func readEntry(_ id: VendorMessageID) async throws -> LedgerEntry? {
    try await readers.run { [self] in try entry(id) }
  }

  /// A body that reads an extract as its client takes it; memory does not depend on the extract's size.
  func stream(_ extract: LedgerExtract) -> @Sendable () async throws -> [UInt8]? {
    let walk = ExtractWalk(extract)
    return { [readers] in try await readers.run { try walk.next() } }
  }
}

/// Where a streamed body is.
private final class ExtractWalk: Sendable {
  private let extract: LedgerExtract
  private let position = Mutex(LedgerExtract.Position())
  private static let pieceBytes = 128 << 10

  init(_ extract: LedgerExtract) { self.extract = extract }

  func next() throws(FileError) -> [UInt8]? {
    try position.withLock { position in
      Result { () throws(FileError) in try extract.next(&position, limit: ExtractWalk.pieceBytes) }
    }.get()
  }
}
