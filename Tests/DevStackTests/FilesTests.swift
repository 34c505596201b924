import Foundation
import JSON
import Testing

@testable import DevStack

/// A file that lives as long as the test's closure.
func withFile<T>(_ text: String, _ body: (String) throws -> T) throws -> T {
  let url = FileManager.default.temporaryDirectory.appending(path: "devstack-\(UUID().uuidString).csv")
  try Data(text.utf8).write(to: url)
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.path)
}

@Suite("CSV files of the demo")
struct FilesTests {
  private func records(_ text: String) throws -> [[String]] {
    try withFile(text) { path in
      var reader = try CSVReader(path: path)
      var records: [[String]] = []
      while let record = try reader.next() { records.append(record) }
      return records
    }
  }

  @Test func quotesProtectCommasQuotesAndLineBreaks() throws {
    let text = "a,\"b,\"\"c\"\"\",\"two\r\nlines\"\n\"\",,x"
    #expect(try records(text) == [["a", "b,\"c\"", "two\r\nlines"], ["", "", "x"]])
  }

  @Test func byteOrderMarkWindowsLineEndsAndEmptyLinesAreNoData() throws {
    #expect(try records("\u{FEFF}a,b\r\n\r\n1,2\r\n\n") == [["a", "b"], ["1", "2"]])
  }

  @Test func anOpenQuoteIsNamedWithItsLine() throws {
    let error = try #require(throws: CSVError.self) { try records("a\nb,\"never\nclosed\n") }
    #expect(error.line == 2)
  }

  @Test func textAfterAClosingQuoteIsAnError() throws {
    #expect(throws: CSVError.self) { try records("\"a\"b\n") }
  }

  @Test func aLeadIsReadByItsHeaderWhateverTheOrder() throws {
    let text =
      "metadata.city,tags,emails,name,metadata.age:number,metadata.address.zip\n"
      + "Łódź,a;b,x@example.com;y@example.com,Ann,41,90-001\n,,z@example.com,Bo,,\n"
    try withFile(text) { path in
      var file = try LeadsFile(path: path)
      let first = try #require(try file.next())
      #expect(
        first == [
          "name": "Ann", "emails": ["x@example.com", "y@example.com"], "tags": ["a", "b"],
          "metadata": ["city": "Łódź", "age": 41, "address": ["zip": "90-001"]],
        ])
      #expect(try file.next() == ["emails": ["z@example.com"], "name": "Bo"])
      #expect(try file.next() == nil)
    }
  }

  @Test func anUnknownColumnIsNamedBeforeAnythingIsRead() throws {
    try withFile("name,shoe_size\n") { path in
      let error = try #require(throws: CSVError.self) { try LeadsFile(path: path) }
      #expect(error.description.contains("shoe_size"))
    }
  }

  @Test func aRowOfAnotherWidthIsAnError() throws {
    try withFile("name,emails\nAnn\n") { path in
      var file = try LeadsFile(path: path)
      let error = try #require(throws: CSVError.self) { try file.next() }
      #expect(error.line == 2)
    }
  }

  @Test func anOrdersItemsShareItsTotal() throws {
    let text =
      "order_no,email,ordered_at,currency,total,items\n"
      + "A1,x@example.com,2025-01-01T00:00:00Z,USD,30.00,MUG x2;BIG BOX;TEA x1\n"
    try withFile(text) { path in
      var file = try OrdersFile(path: path)
      let order = try #require(try file.next())
      #expect(order["total"] == 30.0)
      #expect(
        order["items"] == [
          ["sku": "MUG", "quantity": 2, "price": 7.5], ["sku": "BIG BOX", "quantity": 1, "price": 7.5],
          ["sku": "TEA", "quantity": 1, "price": 7.5],
        ])
    }
  }
}

@Suite("What the files say")
struct ExpectationTests {
  private func order(_ number: String, _ email: String, _ total: Double) -> JSONObject {
    ["order_no": .string(number), "email": .string(email), "total": .double(total), "currency": "USD"]
  }

  @Test func centsAreAddedExactlyAndOverAllAddresses() {
    var expectation = Expectation()
    expectation.add(lead: ["emails": ["a@x.com", "A2@x.com"], "tags": ["newsletter"]])
    expectation.add(lead: ["emails": ["b@x.com"], "tags": ["newsletter"]])
    // 100.00 and not a cent more: no big spender, though the sum of the doubles may say so.
    for part in 1...10 {
      expectation.add(order: order("a\(part)", part.isMultiple(of: 2) ? "a@x.com" : "a2@X.com", 10))
    }
    expectation.add(order: order("b1", "b@x.com", 70.07))
    expectation.add(order: order("b2", "b@x.com", 29.94))
    #expect(expectation.bigSpenders == 1)
    #expect(expectation.modestReaders == 1)
  }

  @Test func anOrderGivenTwiceMakesTheCountUnsure() {
    var expectation = Expectation()
    expectation.add(lead: ["emails": ["a@x.com"]])
    expectation.add(order: order("a1", "a@x.com", 10))
    expectation.add(order: order("a1", "a@x.com", 12))
    #expect(expectation.bigSpenders == nil)
  }
}
