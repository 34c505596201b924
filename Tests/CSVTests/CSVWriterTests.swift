import Testing

@testable import CSV

@Suite struct CSVWriterTests {
  private func line(_ fields: String?...) -> String {
    var writer = CSVWriter()
    for field in fields { writer.field(field) }
    writer.endRow()
    return String(decoding: writer.take(), as: UTF8.self)
  }

  @Test func fieldsAreQuotedWhereTheyMustBe() {
    #expect(line("a", "b c", "", nil, "é") == "a,b c,,,é\r\n")
    #expect(line("a,b", "say \"hi\"", "1\n2", "x;y") == "\"a,b\",\"say \"\"hi\"\"\",\"1\n2\",\"x;y\"\r\n")
    #expect(line("") == "\"\"\r\n")
  }

  /// What OWASP lists.
  @Test(arguments: [
    "=1+1", "+SUM(A1)", "-cmd", "@x", "\tx", "\rx", "\nx", "'=1", "''@x", "-", "=", "+1-1", "-1e", "+1;+2",
  ])
  func whatCouldBeAFormulaIsGuarded(text: String) {
    #expect(line(text).hasPrefix("\"'"), "\(text.debugDescription)")
    #expect(FormulaGuard.unguarded(FormulaGuard.guarded(text)) == text)
  }

  @Test(arguments: ["-12", "+14155550123", "-1.5", "2e-3", "-1E+9", "0", "a=b", " =x", "'s", "''", "'", "x-1", ""])
  func numbersAndHarmlessTextStayAsTheyAre(text: String) {
    #expect(FormulaGuard.guarded(text) == text)
    #expect(FormulaGuard.unguarded(text) == text)
  }

  @Test func aGuardOfAnotherProgramIsTakenAway() {
    #expect(FormulaGuard.unguarded("'+14155550123") == "+14155550123")
  }

  @Test func whatIsWrittenIsReadAgain() {
    let texts = ["a,b", "\"", "x\r\ny", "=1", "'=1", "é", "", "-5", "\t"]
    var writer = CSVWriter()
    for name in texts.indices { writer.plain("c\(name)") }
    writer.endRow()
    for text in texts { writer.field(text) }
    writer.endRow()
    let read = Reading([writer.take()])
    #expect(read.rows.first?.map { $0.map(FormulaGuard.unguarded) } == texts)
  }
}
