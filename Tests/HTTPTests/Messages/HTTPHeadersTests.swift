import Testing

@testable import HTTP

@Suite struct HTTPHeadersTests {
  @Test func namesCompareWithoutCaseAndOrderIsKept() {
    var headers: HTTPHeaders = ["Content-Type": "text/plain", "X-A": "1"]
    headers.add("x-a", "2")
    #expect(headers["content-TYPE"] == "text/plain")
    #expect(headers.values("X-A") == ["1", "2"])
    #expect(headers.map(\.name) == ["Content-Type", "X-A", "x-a"])
    #expect(headers["X-B"] == nil)
  }

  @Test func settingReplacesEveryFieldOfTheName() {
    var headers: HTTPHeaders = ["A": "1", "B": "2", "a": "3"]
    headers["A"] = "4"
    #expect(headers.map { "\($0.name)=\($0.value)" } == ["B=2", "A=4"])
    headers["B"] = nil
    #expect(headers.count == 1)
  }

  @Test func copiesAreIndependent() {
    let one: HTTPHeaders = ["A": "1"]
    var two = one
    two.add("B", "2")
    #expect(one.count == 1)
    #expect(two["B"] == "2")
  }

  @Test(arguments: ["a b", "", "a:b", "a\r\n", "é"])
  func invalidNamesAreRecognised(name: String) { #expect(!HTTPHeaders.isValidName(name)) }

  @Test(arguments: ["a\rb", "a\nb", "a\0b", "\u{7F}"])
  func invalidValuesAreRecognised(value: String) { #expect(!HTTPHeaders.isValidValue(value)) }
}
