import CivilTime
import JSON

/// What the simulator must remember beside its ledger, as lines of JSON in a second file:
///
/// - `{"behaviour":{…},"from":7}` — applies to messages from that sequence number on,
/// - `{"callback":"http://…","seq":7}` — where that message's receipt goes,
/// - `{"reported":[[1,6],[9,9]]}` — the receipts of these messages need nothing more.
///
/// The first two are synced before the call is answered that they belong to. The third is not: what a crash takes of it
/// makes receipts come twice, never not at all. Every start writes the file anew with what still counts.
struct JournalState {
  var behaviours = BehaviourHistory()
  /// Of messages whose receipts are not reported.
  var callbacks: [UInt32: String] = [:]
}

enum Journal {
  static func encode(_ behaviour: Behaviour, from seq: UInt32) -> [UInt8] {
    line(["behaviour": behaviour.jsonValue, "from": .int(Int64(seq))])
  }

  static func encode(callback: String, seq: UInt32) -> [UInt8] {
    line(["callback": .string(callback), "seq": .int(Int64(seq))])
  }

  /// One line for any number of messages: neighbours become ranges.
  static func encode(reported: [UInt32]) -> [UInt8] {
    var ranges: [(UInt32, UInt32)] = []
    for seq in reported.sorted() {
      if let last = ranges.last, seq <= last.1 + 1 {
        ranges[ranges.count - 1].1 = seq
      } else {
        ranges.append((seq, seq))
      }
    }
    return line(["reported": .array(ranges.map { .array([.int(Int64($0.0)), .int(Int64($0.1))]) })])
  }

  private static func line(_ value: JSONValue) -> [UInt8] { value.encoded() + [0x0A] }

  /// Applies one line.
  ///
  /// - Returns: false when the line cannot be read.
  static func apply(_ line: UnsafeRawBufferPointer, to state: inout JournalState, _ book: inout MessageBook) -> Bool {
    guard let json = try? JSONValue.parse(line) else { return false }
    if let change = json["behaviour"], let from = sequence(json["from"]) {
      guard let behaviour = try? Behaviour().changed(by: change) else { return false }
      state.behaviours.change(to: behaviour, from: min(from, book.count + 1))
      return true
    }
    if let url = json["callback"]?.stringValue, let seq = sequence(json["seq"]) {
      // A line beyond the ledger belongs to a message that a crash took, and that nobody was told was accepted.
      if book.record(seq)?.reported == false { state.callbacks[seq] = url }
      return true
    }
    guard let ranges = json["reported"]?.arrayValue else { return false }
    for range in ranges {
      guard let first = sequence(range[0]), let last = sequence(range[1]), first <= last else { return false }
      guard first <= book.count else { continue }
      for seq in first...min(last, book.count) {
        _ = book.markReported(seq)
        state.callbacks[seq] = nil
      }
    }
    return true
  }

  private static func sequence(_ value: JSONValue?) -> UInt32? { value?.intValue.flatMap { UInt32(exactly: $0) } }

  /// The lines from which a restart makes the same state again.
  static func compacted(_ state: JournalState, _ book: MessageBook) -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in state.behaviours.entries { bytes += encode(entry.behaviour, from: entry.from) }
    for (seq, url) in state.callbacks.sorted(by: { $0.key < $1.key }) { bytes += encode(callback: url, seq: seq) }
    let reported = (0..<book.count).map { $0 + 1 }.filter { book.record($0)?.reported == true }
    if !reported.isEmpty { bytes += encode(reported: reported) }
    return bytes
  }
}
