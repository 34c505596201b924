import Testing

@testable import CSV

/// All that a reader finds in a text.
struct Reading: Equatable {
  var header: [String] = []
  var rows: [[String?]] = []
  var flaws: [Int64: CSVFlaw] = [:]
  var error: CSVError?
  var encoding: CSVEncoding?
  var identity: [UInt8] = []

  /// - Parameter chunks: the text, cut somewhere.
  init(_ chunks: [[UInt8]], encoding: CSVEncoding? = nil, limits: CSVLimits = CSVLimits()) {
    var reader = CSVReader(encoding: encoding, limits: limits)
    do throws(CSVError) {
      for chunk in chunks {
        var offset = 0
        while try reader.next(chunk, from: &offset) { note(reader) }
      }
      if try reader.finish() { note(reader) }
    } catch {
      self.error = error
    }
    header = reader.header ?? []
    self.encoding = reader.encoding
  }

  init(_ text: String, limits: CSVLimits = CSVLimits()) { self.init([Array(text.utf8)], limits: limits) }

  private mutating func note(_ reader: CSVReader) {
    rows.append((0..<reader.fieldCount).map { reader.text($0) })
    flaws[reader.row] = reader.flaw
    reader.append(to: &identity)
  }
}

@Suite struct CSVReaderTests {
  @Test func recordsAndFieldsAreToldApart() {
    let read = Reading("name,city\r\nAnn,Oslo\r\nBob,\r\n")
    #expect(read.header == ["name", "city"])
    #expect(read.rows == [["Ann", "Oslo"], ["Bob", ""]])
    #expect(read.error == nil && read.flaws.isEmpty)
  }

  /// RFC 4180, section 2, rules 5 to 7.
  @Test func quotedFieldsHoldDelimitersLinesAndQuotes() {
    let read = Reading("a,b\r\n\"x,y\",\"one\r\ntwo\"\r\n\"say \"\"hi\"\"\",\"\"\r\n\"\"\"\",\"\"\"\"\"\"\r\n")
    #expect(read.rows == [["x,y", "one\r\ntwo"], ["say \"hi\"", ""], ["\"", "\"\""]])
    #expect(read.flaws.isEmpty)
  }

  @Test(arguments: ["\n", "\r\n", "\r"])
  func anyLineEndIsOneAndTheLastMayBeMissing(end: String) {
    let read = Reading("a,b\(end)1,2\(end)\(end)\(end)3,4")
    #expect(read.rows == [["1", "2"], ["3", "4"]])
    #expect(Reading("a,b\(end)1,2\(end)") == Reading("a,b\(end)1,2"))
  }

  @Test func emptyFieldsAreFieldsAndEmptyLinesAreNoRows() {
    #expect(Reading("a,b,c\n,,\n\n1,,\n,").rows == [["", "", ""], ["1", "", ""], ["", ""]])
    #expect(Reading("a\n\n\"\"\nx\n").rows == [[""], ["x"]])
    #expect(Reading("\n\r\n\na\n1\n").header == ["a"])
  }

  @Test(arguments: [(",", "a,b;c"), (";", "a;b,c;d"), ("\t", "a\tb c\td"), (",", "\"x;y;z\",b"), (",", "one")])
  func theDelimiterIsTheOneThatStandsMostOften(delimiter: String, header: String) {
    var reader = CSVReader()
    var offset = 0
    #expect(throws: Never.self) { _ = try reader.next(Array("\(header)\n".utf8), from: &offset) }
    #expect(reader.delimiter.map(String.init) == delimiter)
  }

  @Test func semicolonsAndTabsDivideToo() {
    #expect(Reading("a;b\n1,5;2\n").rows == [["1,5", "2"]])
    #expect(Reading("a\tb\n\"x\ty\"\t2\n").rows == [["x\ty", "2"]])
  }

  @Test func columnsAreNamedWithoutTheWhiteSpaceAround() {
    #expect(Reading(" name , \"e mail\" \n1,2\n").error == .malformedHeader(.strayQuote))
    #expect(Reading(" name ,e mail\u{A0}\n1,2\n").header == ["name", "e mail"])
  }

  /// Whatever a text is: where it is cut changes nothing, byte by byte and at every pair of places.
  @Test(arguments: [
    "a,b\r\n\"x\"\"y\",\"1\r\n2\"\r\n\r\nz,\r\n", "\u{FEFF}näme;b\n\"ö;\"\"\";€\r\r\n\"\"\n", "a\tb\n1\t2",
    "a,b\nx\"y,2\n\"x\"y,3\n4,5",
    "\r\n\na\r\"1\"\r2\r", "a,b\n\"never,closed\n1,2\n",
  ])
  func whereATextIsCutDoesNotMatter(text: String) {
    let bytes = Array(text.utf8)
    let whole = Reading([bytes])
    #expect(Reading(bytes.map { [$0] }) == whole)
    for first in 0...bytes.count {
      for second in first...bytes.count {
        let parts = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
        #expect(Reading(parts) == whole, "cut at \(first) and \(second)")
      }
    }
  }

  @Test func aFlawSpoilsItsOwnRow() {
    let read = Reading("a,b\nx\"y,1\n\"x\"y,2\nok,3\n")
    #expect(read.flaws == [1: .strayQuote, 2: .textAfterQuote])
    #expect(read.rows.count == 3 && read.rows[2] == ["ok", "3"])
  }

  @Test func whatIsNeverClosedIsAnError() {
    let read = Reading("a,b\n1,2\n\"open,3\n4,5\n")
    #expect(read.rows == [["1", "2"]] && read.error == .unterminatedQuote)
    #expect(Reading("\"a,b\n1,2\n").error == .unterminatedQuote)
  }

  @Test func aTextWithoutAHeaderIsAnError() {
    #expect(Reading("").error == .noHeader)
    #expect(Reading("\n\r\n").error == .noHeader)
    #expect(Reading("a,b").rows.isEmpty && Reading("a,b").error == nil)
  }

  // MARK: Bounds

  private var narrow: CSVLimits {
    var limits = CSVLimits()
    (limits.header, limits.record, limits.field, limits.fields) = (20, 40, 10, 3)
    return limits
  }

  @Test func aLongFieldOrTooManySpoilTheRow() {
    let read = Reading("a,b\n0123456789,1\n01234567890,2\n\"0123456789\"\"\",3\n1,2,3,4,5\nok,6\n", limits: narrow)
    #expect(
      read.flaws == [2: .fieldTooLong(limit: 10), 3: .fieldTooLong(limit: 10), 4: .tooManyFields(limit: 3)])
    #expect(read.rows.last == ["ok", "6"])
  }

  @Test func whatIsKeptOfALongFieldDoesNotDependOnTheCuts() {
    let bytes = Array("a,b\n0123456789012,1\n\"012345\"\"6789\",2\n1,2,3,4,5,678901,6\nok,6\n".utf8)
    let whole = Reading([bytes], limits: narrow)
    for cut in 0...bytes.count {
      #expect(Reading([Array(bytes[..<cut]), Array(bytes[cut...])], limits: narrow) == whole, "cut at \(cut)")
    }
    #expect(Reading(bytes.map { [$0] }, limits: narrow) == whole)
  }

  @Test func aLongRowOrHeaderEndsTheReading() {
    #expect(
      Reading("a,b\n1,2\n" + String(repeating: "x", count: 60), limits: narrow).error == .recordTooLong(limit: 40))
    #expect(Reading(String(repeating: "column", count: 9) + "\n", limits: narrow).error == .headerTooLong(limit: 20))
    #expect(Reading("a,b,c,d\n", limits: narrow).error == .malformedHeader(.tooManyFields(limit: 3)))
  }

  @Test func emptyLinesCountForNothing() {
    let text = "a,b\n1,2\n" + String(repeating: "\n", count: 500) + "3,4\n"
    let read = Reading(text, limits: narrow)
    #expect(read.rows == [["1", "2"], ["3", "4"]] && read.error == nil)
    #expect(Reading(Array(text.utf8).map { [$0] }, limits: narrow) == read)
  }

  // MARK: Encodings

  @Test func aByteOrderMarkIsNoPartOfTheFirstName() {
    let read = Reading("\u{FEFF}name\nJosé\n")
    #expect(read.header == ["name"] && read.rows == [["José"]] && read.encoding == .utf8)
  }

  @Test func latin1IsToldByTheFirstLettersThatAreNoUTF8() {
    let read = Reading([
      Array("name,city\nAnn,Oslo\nJos".utf8) + [0xE9] + Array(",".utf8) + [0x80, 0x0A, 0xC3, 0xA9, 0x2C, 0x0A]
    ])
    #expect(read.encoding == .latin1 && read.flaws.isEmpty)
    #expect(read.rows == [["Ann", "Oslo"], ["José", "€"], ["Ã©", ""]])
  }

  @Test func whatIsNoUTF8InAUTF8TextSpoilsItsRow() {
    let read = Reading([Array("name\nJosé\nJos".utf8) + [0xE9, 0x0A] + Array("Ann\n".utf8)])
    #expect(read.encoding == .utf8 && read.flaws == [2: .invalidEncoding])
    #expect(read.rows == [["José"], [nil], ["Ann"]])
  }

  @Test func anEncodingThatIsSaidIsBelieved() {
    let bytes = Array("name\nJosé\n".utf8)
    #expect(Reading([bytes], encoding: .latin1).rows == [["JosÃ©"]])
    #expect(CSVEncoding(charset: "ISO-8859-1") == .latin1 && CSVEncoding(charset: "UTF-8") == .utf8)
    #expect(CSVEncoding(charset: "utf-16") == nil)
  }

  @Test func utf16IsNamed() {
    #expect(Reading([[0xFF, 0xFE, 0x61, 0x00]]).error == .unsupportedEncoding("UTF-16"))
  }

  @Test func recordsThatDifferAreToldApart() {
    func identity(_ text: String) -> [UInt8] { Reading("a,b\n\(text)\n").identity }
    #expect(identity("ab,c") == identity("\"ab\",c"))
    #expect(identity("ab,c") != identity("a,bc"))
    #expect(identity("ab,c") != identity("ab,d"))
    #expect(identity("ab,") != identity("ab"))
  }
}
