import Foundation
import JSON

/// What the simulator's ledger says: a line of JSON for each call it accepted.
struct Ledger: Sendable {
  /// Lines that sent a message; a repetition under a known idempotency key is none.
  let effective: Int
  /// Different send ids among them.
  let distinct: Int

  static func read(_ file: URL) async throws -> Ledger {
    let data = try Data(contentsOf: file)
    var effective = 0
    var sends: Set<String> = []
    for line in data.split(separator: 0x0A) {
      let entry = try JSONValue.parse([UInt8](line))
      guard entry["effective"]?.boolValue == true, let send = entry["send_id"]?.stringValue else { continue }
      effective += 1
      sends.insert(send)
    }
    return Ledger(effective: effective, distinct: sends.count)
  }
}
