import CivilTime
import JSON

/// One line of the ledger: `{"seq","at","send_id","idempotency_key","to","message","vendor_message_id","effective"}`.
enum LedgerLine {
  /// The members that the caller determines, encoded before the line has a number, so that the one thread that writes
  /// the ledger has little to do.
  static func encodeRequest(_ request: MessageRequest) -> [UInt8] {
    var writer = JSONWriter(reservingCapacity: request.message.utf8.count + 192)
    writer.beginObject()
    writer.field("send_id", request.sendID)
    if let key = request.idempotencyKey {
      writer.field("idempotency_key", key)
    } else {
      writer.key("idempotency_key")
      writer.null()
    }
    writer.field("to", request.to)
    writer.field("message", request.message)
    var bytes = writer.bytes
    bytes[0] = UInt8(ascii: ",")  // for the brace: these members follow others
    return bytes
  }

  /// Appends a whole line.
  ///
  /// - Parameters:
  ///   - at: RFC 3339.
  ///   - request: from `encodeRequest`.
  static func append(
    to bytes: inout [UInt8], seq: UInt32, at: [UInt8], request: [UInt8], id: VendorMessageID, effective: Bool
  ) {
    bytes.append(contentsOf: opening)
    bytes.append(contentsOf: String(seq).utf8)
    bytes.append(contentsOf: time)
    bytes.append(contentsOf: at)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: request)
    bytes.append(contentsOf: vendorID)
    bytes.append(contentsOf: id.utf8)
    bytes.append(contentsOf: effective ? endingTrue : endingFalse)
    bytes.append(0x0A)
  }

  static let opening = Array(#"{"seq":"#.utf8)
  static let time = Array(#","at":""#.utf8)
  static let sendID = Array(#","send_id":"#.utf8)
  static let key = Array(#","idempotency_key":"#.utf8)
  static let null = Array("null".utf8)
  static let to = Array(#","to":"#.utf8)
  static let message = Array(#","message":"#.utf8)
  static let vendorID = Array(#","vendor_message_id":""#.utf8)
  static let endingTrue = Array(#"","effective":true}"#.utf8)
  static let endingFalse = Array(#"","effective":false}"#.utf8)
}

/// A line read back. Reads only what `LedgerLine.append` writes, and copies nothing out of it until asked.
struct ScannedLine {
  let seq: UInt32
  let at: Timestamp
  let id: VendorMessageID
  let effective: Bool
  private let bytes: [UInt8]
  private let texts: (sendID: Range<Int>, key: Range<Int>, to: Range<Int>, message: Range<Int>)

  /// - Parameter line: without its line end.
  /// - Returns: nil when the line has any other shape: cut short, or not written by this program.
  init?(_ line: [UInt8]) {
    var scanner = LineScanner(line)
    guard scanner.skip(LedgerLine.opening), let seq = scanner.number(), scanner.skip(LedgerLine.time),
      let time = scanner.rawText(), let at = Timestamp(rfc3339: String(decoding: line[time], as: UTF8.self)),
      scanner.skip(LedgerLine.sendID), let sendID = scanner.quoted(), scanner.skip(LedgerLine.key),
      let key = scanner.quotedOrNull(), scanner.skip(LedgerLine.to), let to = scanner.quoted(),
      scanner.skip(LedgerLine.message), let message = scanner.quoted(), scanner.skip(LedgerLine.vendorID),
      let vendorID = scanner.rawText(), let id = VendorMessageID(line[vendorID])
    else { return nil }
    scanner.stepBack()
    effective = scanner.skip(LedgerLine.endingTrue)
    guard effective || scanner.skip(LedgerLine.endingFalse), scanner.atEnd else { return nil }
    self.seq = seq
    self.at = at
    self.id = id
    bytes = line
    texts = (sendID, key, to, message)
  }

  /// As JSON, quotes included.
  var sendID: ArraySlice<UInt8> { bytes[texts.sendID] }
  /// As JSON; `null` where the call had none.
  var idempotencyKey: ArraySlice<UInt8> { bytes[texts.key] }
  /// As JSON, quotes included.
  var to: ArraySlice<UInt8> { bytes[texts.to] }
  /// As JSON, quotes included.
  var message: ArraySlice<UInt8> { bytes[texts.message] }

  /// The text that a JSON string stands for; nil for `null`.
  static func decode(_ json: ArraySlice<UInt8>) -> String? {
    if !json.contains(UInt8(ascii: "\\")) {
      return json.first == UInt8(ascii: "\"") ? String(decoding: json.dropFirst().dropLast(), as: UTF8.self) : nil
    }
    return (try? JSONValue.parse(Array(json)))?.stringValue
  }
}

/// Walks over a line's bytes.
private struct LineScanner {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var atEnd: Bool { index == bytes.count }

  mutating func stepBack() { index -= 1 }

  mutating func skip(_ literal: [UInt8]) -> Bool {
    guard bytes[index...].starts(with: literal) else { return false }
    index += literal.count
    return true
  }

  mutating func number() -> UInt32? {
    var value: UInt64 = 0
    let start = index
    while index < bytes.count, index - start < 10, bytes[index] &- 0x30 < 10 {
      value = value * 10 + UInt64(bytes[index] - 0x30)
      index += 1
    }
    return index > start ? UInt32(exactly: value) : nil
  }

  /// What stands before the next quote, which is passed over. For texts that never need an escape.
  mutating func rawText() -> Range<Int>? {
    let start = index
    guard let quote = bytes[index...].firstIndex(of: UInt8(ascii: "\"")) else { return nil }
    index = quote + 1
    return start..<quote
  }

  /// A JSON string with its quotes.
  mutating func quoted() -> Range<Int>? {
    guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return nil }
    let start = index
    index += 1
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\\"): index += 2
      case UInt8(ascii: "\""):
        index += 1
        return start..<index
      default: index += 1
      }
    }
    index = min(index, bytes.count)
    return nil
  }

  mutating func quotedOrNull() -> Range<Int>? {
    let start = index
    return skip(LedgerLine.null) ? start..<index : quoted()
  }
}
