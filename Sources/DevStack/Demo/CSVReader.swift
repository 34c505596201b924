import Foundation

/// A CSV file cannot be read as one.
struct CSVError: Error, CustomStringConvertible {
  let file: String
  let line: Int
  let message: String

  var description: String { "\(file), line \(line): \(message)" }
}

/// Reads the records of a CSV file (RFC 4180: quotes, doubled quotes, line breaks within quotes; LF or CRLF; UTF-8, a
/// byte order mark is skipped). The file is mapped, not loaded.
struct CSVReader {
  let file: String
  private let data: Data
  private var position = 0
  private(set) var line = 1

  init(path: String) throws {
    file = path
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw StackError("\(path) cannot be read")
    }
    if data.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  /// The next record; nil at the end. Empty lines are skipped.
  mutating func next() throws(CSVError) -> [String]? {
    while position < data.count, data[position] == Self.newline || data[position] == Self.carriageReturn {
      if data[position] == Self.newline { line += 1 }
      position += 1
    }
    guard position < data.count else { return nil }
    var fields: [String] = []
    while true {
      fields.append(try field())
      guard position < data.count else { return fields }
      let separator = data[position]
      position += 1
      if separator == Self.comma { continue }
      if separator == Self.carriageReturn, position < data.count, data[position] == Self.newline { position += 1 }
      line += 1
      return fields
    }
  }

  /// Stops at a comma, at a line's end or at the file's end.
  private mutating func field() throws(CSVError) -> String {
    guard position < data.count, data[position] == Self.quote else {
      let start = position
      while position < data.count, !Self.endsField(data[position]) { position += 1 }
      return String(decoding: data[start..<position], as: UTF8.self)
    }
    let opened = line
    var bytes: [UInt8] = []
    position += 1
    while position < data.count {
      let byte = data[position]
      position += 1
      if byte != Self.quote {
        if byte == Self.newline { line += 1 }
        bytes.append(byte)
      } else if position < data.count, data[position] == Self.quote {
        bytes.append(Self.quote)
        position += 1
      } else {
        guard position == data.count || Self.endsField(data[position]) else {
          throw CSVError(file: file, line: line, message: "text after a closing quote")
        }
        return String(decoding: bytes, as: UTF8.self)
      }
    }
    throw CSVError(file: file, line: opened, message: "a quote is opened and never closed")
  }

  private static let comma = UInt8(ascii: ",")
  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  private static func endsField(_ byte: UInt8) -> Bool {
    byte == comma || byte == newline || byte == carriageReturn
  }
}

/// The records of a CSV file by the names in its header line.
struct CSVTable {
  private var reader: CSVReader
  let columns: [String]

  /// - Throws: `CSVError` where the header is missing or names a column that `isKnown` refuses.
  init(path: String, known: String, isKnown: (String) -> Bool) throws {
    reader = try CSVReader(path: path)
    guard let header = try reader.next() else { throw CSVError(file: path, line: 1, message: "no header line") }
    columns = header.map { $0.trimmingCharacters(in: .whitespaces) }
    for column in columns where !isKnown(column) {
      throw CSVError(file: path, line: 1, message: "unknown column \"\(column)\"; known are \(known)")
    }
    guard Set(columns).count == columns.count else {
      throw CSVError(file: path, line: 1, message: "a column is named twice")
    }
  }

  /// The next row's fields that are not empty, with their columns; nil at the end.
  mutating func next() throws(CSVError) -> [(column: String, text: String)]? {
    guard let fields = try reader.next() else { return nil }
    guard fields.count == columns.count else {
      throw error("\(fields.count) fields, the header has \(columns.count)")
    }
    return zip(columns, fields).compactMap { $1.isEmpty ? nil : ($0, $1) }
  }

  func error(_ message: String) -> CSVError {
    CSVError(file: reader.file, line: reader.line - 1, message: message)
  }
}
