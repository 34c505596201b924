import Crypto
import Foundation

/// What is found on disk when the simulator starts.
struct LoadedLedger {
  let ledger: AppendFile
  let journal: AppendFile
  let end: UInt64
  let journalEnd: UInt64
  let book: MessageBook
  let journalState: JournalState
  /// Bytes that were cut off because a crash had left half a line.
  let tornBytes: UInt64
}

/// Reads a ledger and its journal, cuts what a crash left half written, and makes the indexes anew.
enum LedgerLoader {
  static func journalPath(_ ledgerPath: String) -> String { ledgerPath + ".journal" }
  static func lockPath(_ ledgerPath: String) -> String { ledgerPath + ".lock" }

  /// - Throws: `FileError`, also when a line in the middle is not the simulator's: the file must be moved away by hand.
  static func load(_ path: String) throws(FileError) -> LoadedLedger {
    let ledger = try AppendFile(path)
    var book: MessageBook?
    let size = try ledger.size()
    var corrupt: UInt64?
    let end = try forEachLine(of: ledger) { offset, line in
      guard let scanned = ScannedLine(Array(line)), scanned.seq == (book?.count ?? 0) + 1 else {
        corrupt = offset
        return false
      }
      var current = book ?? MessageBook(ledger: scanned.id.ledger)
      book = nil  // so that the append below has the only reference and copies nothing
      let send = MessageRequest.indexKey(ScannedLine.decode(scanned.sendID) ?? "")
      let key = ScannedLine.decode(scanned.idempotencyKey).map(MessageRequest.indexKey)
      current.append(send: send, key: key, offset: offset, effective: scanned.effective)
      book = current
      return true
    }
    if let corrupt {
      // A whole line that cannot be read is the crash's work only at the very end.
      let rest = try ledger.read(at: corrupt, count: Int(min(size - corrupt, 1 << 20)))
      guard rest.firstIndex(of: 0x0A) == rest.count - 1, size - corrupt <= 1 << 20 else {
        throw FileError(message: "\(path) is not a ledger of this program: see the line at byte \(corrupt)")
      }
    }
    try ledger.truncate(to: end)
    try ledger.sync()
    var loaded = book ?? MessageBook(ledger: UInt32.random(in: 0...UInt32.max))
    book = nil
    var state = JournalState()
    try readJournal(of: path, &state, &loaded)
    let compacted = Journal.compacted(state, loaded)
    let temporary = journalPath(path) + ".new"
    let journal = try AppendFile(temporary, truncate: true)
    try journal.write(compacted, at: 0)
    try journal.sync()
    try AppendFile.replace(journalPath(path), with: temporary)
    return LoadedLedger(
      ledger: ledger, journal: journal, end: end, journalEnd: UInt64(compacted.count), book: loaded,
      journalState: state, tornBytes: size - end)
  }

  private static func readJournal(
    of path: String, _ state: inout JournalState, _ book: inout MessageBook
  ) throws(FileError) {
    let journal = try AppendFile(journalPath(path))
    var read = state
    var marked = book
    // A torn last line is passed over; so is one that cannot be read, since at worst receipts are sent again.
    _ = try forEachLine(of: journal) { _, line in
      _ = Journal.apply(line, to: &read, &marked)
      return true
    }
    state = read
    book = marked
  }

  /// Calls `body` with each complete line, without its line end, in pieces that keep memory flat.
  ///
  /// - Parameter body: returns false to stop before the line.
  /// - Returns: where the first byte lies that belongs to no line handed over.
  private static func forEachLine(
    of file: AppendFile, _ body: (UInt64, UnsafeRawBufferPointer) -> Bool
  ) throws(FileError) -> UInt64 {
    var buffer: [UInt8] = []
    var offset: UInt64 = 0
    while true {
      let piece = try file.read(at: offset + UInt64(buffer.count), count: 1 << 20)
      if piece.isEmpty { return offset }
      buffer += piece
      var consumed = 0
      var stopped = false
      buffer.withUnsafeBytes { bytes in
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
          if !body(offset + UInt64(start), UnsafeRawBufferPointer(rebasing: bytes[start..<end])) {
            stopped = true
            break
          }
          start = end + 1
        }
        consumed = start
      }
      buffer.removeFirst(consumed)
      offset += UInt64(consumed)
      if stopped || buffer.count > longestLine { return offset }
    }
  }

  /// No line that the simulator writes is longer: a message's bytes may each need six.
  private static let longestLine = 1 << 20
}
