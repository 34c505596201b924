import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct LeadInputTests {
  @Test func normalisesEveryField() throws {
    let input = try LeadInput.decode([
      "name": "  Jane Roe ", "emails": [" Jane@Example.COM ", "jane@example.com", "j.r+crm@mail.example.org"],
      "phones": ["+1 (415) 555-01.23", "0049 30 1234567"], "tags": [" vip ", "vip", "new"], "total_spend": 12,
      "visits": 3.0, "last_order_at": "2026-03-01T00:00:00+02:00",
      "metadata": [
        "city": "Köln", "age": 41, "score": 0.5, "ok": true, "list": [1, "a", false], "deep": ["a": ["b": 1]],
      ],
      "opted_out": ["sms": "2026-01-01T00:00:00Z"],
    ]).get()
    #expect(input.name == "Jane Roe")
    #expect(input.emails == ["jane@example.com", "j.r+crm@mail.example.org"])
    #expect(input.phones == ["+14155550123", "+49301234567"])
    #expect(input.tags == ["vip", "new"])
    #expect(input.totalSpend == 12)
    #expect(input.visits == 3)
    #expect(input.lastOrderAt == Timestamp(rfc3339: "2026-02-28T22:00:00Z"))
    #expect(input.metadata?["age"] == .int64(41))
    #expect(input.metadata?["score"] == .double(0.5))
    #expect(input.metadata?["list"] == [1, "a", false])
    #expect(input.metadata?[path: "deep.a.b"] == 1)
    #expect(input.optedOut == [.sms: Timestamp(rfc3339: "2026-01-01T00:00:00Z")!])
  }

  @Test func namesEveryBadFieldAtOnce() {
    let result = LeadInput.decode(
      [
        "name": 5, "emails": ["a@b.co", "nope", 7], "phones": ["123"], "tags": ["", "x", nil], "total_spend": "12",
        "visits": 1.5, "last_order_at": "2026-02-30T00:00:00Z", "metadata": ["1": 1, "a.b": 2, "n": nil, "l": [[1]]],
        "opted_out": ["fax": "2026-01-01T00:00:00Z", "sms": "yesterday"], "nickname": "J", "_id": "x",
      ], path: "leads[3]")
    #expect(
      result.problems == [
        "leads[3]._id unknown_field", "leads[3].emails[1] invalid_email", "leads[3].emails[2] invalid_type",
        "leads[3].last_order_at invalid_timestamp", "leads[3].metadata.1 invalid_key",
        "leads[3].metadata.a.b invalid_key", "leads[3].metadata.l[0] invalid_type", "leads[3].metadata.n invalid_type",
        "leads[3].name invalid_type", "leads[3].nickname unknown_field", "leads[3].opted_out.fax unknown_field",
        "leads[3].opted_out.sms invalid_timestamp", "leads[3].phones[0] invalid_phone", "leads[3].tags[0] required",
        "leads[3].tags[2] invalid_type", "leads[3].total_spend invalid_type", "leads[3].visits invalid_type",
      ])
  }

  @Test func findsMembersInAnyOrderAndReportsEveryUnknownOneHoweverManyThereAre() {
    let backwards: JSONValue = ["visits": 2, "tags": [], "emails": ["a@b.co"], "name": "Ann"]
    #expect(LeadInput.decode(backwards).problems == [])
    let members = (0..<70).map { (key: "k\($0)", value: JSONValue.int(0)) }
    let named: [(key: String, value: JSONValue)] = [("emails", ["a@b.co"]), ("name", "Ann")]
    let expected = members.map { "\($0.key) unknown_field" }.sorted()
    #expect(LeadInput.decode(.object(JSONObject(members + named))).problems == expected)
    #expect(LeadInput.decode(.object(JSONObject(named + members))).problems == expected)
  }

  @Test func requiresNameAndEmailUnlessPartial() throws {
    #expect(LeadInput.decode([:]).problems == ["emails required", "name required"])
    #expect(LeadInput.decode(["name": " ", "emails": []]).problems == ["emails too_few", "name required"])
    #expect(LeadInput.decode(["emails": []], requiring: .partial).problems == ["emails too_few"])
    #expect(try LeadInput.decode([:], requiring: .partial).get() == LeadInput())
  }

  @Test func refusesWhatIsNoObject() {
    #expect(LeadInput.decode([1]).problems == ["body invalid_type"])
    #expect(LeadInput.decode("x", path: "leads[0]").problems == ["leads[0] invalid_type"])
  }

  @Test(arguments: [
    "a@b.co", "a.b-c_d+e@sub.example.com", "o'neil@example.ie", "x@xn--bcher-kva.example", "1@2.com",
  ])
  func acceptsAddressesThatExist(text: String) throws {
    #expect(try EmailAddress.normalise(text).get() == text)
  }

  @Test(arguments: [
    "", "a", "a@", "@b.co", "a@b", "a@@b.co", "a b@c.de", "a@b..co", ".a@b.co", "a.@b.co", "a..b@c.de", "a@-b.co",
    "a@b-.co",
    "a@127.0.0.1", "a@[127.0.0.1]", "\"a b\"@c.de", "a@b.co,c@d.ef", "ä@b.co", "a@bücher.example", "a@b.co\u{0}",
    "a@b.co.",
  ])
  func refusesOtherAddresses(text: String) {
    #expect(throws: FieldProblem.self) { try EmailAddress.normalise(text).get() }
  }

  @Test func limitsAddressesToTheirLengths() throws {
    let label = String(repeating: "d", count: 63)
    let longest = "a@" + [label, label, label, String(repeating: "e", count: 57), "com"].joined(separator: ".")
    #expect(longest.utf8.count == 255)
    #expect(throws: FieldProblem.self) { try EmailAddress.normalise(longest).get() }
    _ = try EmailAddress.normalise("a@" + longest.dropFirst(3)).get()
    #expect(throws: FieldProblem.self) {
      try EmailAddress.normalise(String(repeating: "a", count: 65) + "@b.co").get()
    }
  }

  @Test(arguments: [
    ("+1234567", "+1234567"), ("+123456789012345", "+123456789012345"), ("00 44 20 7946 0958", "+442079460958"),
    ("+49\u{A0}(30)\u{2011}123.45-67", "+49301234567"),
  ])
  func readsTelephoneNumbers(text: String, expected: String) throws {
    #expect(try PhoneNumber.normalise(text).get() == expected)
  }

  @Test(arguments: [
    "", "+", "+123456", "+1234567890123456", "4155550123", "0415555012", "+0123456789", "+1 415 call me",
    "+1+4155550123",
    "00", "+１２３４５６７", String(repeating: "1", count: 5_000),
  ])
  func refusesOtherTelephoneNumbers(text: String) {
    #expect(throws: FieldProblem.self) { try PhoneNumber.normalise(text).get() }
  }

  @Test func limitsNumbers() {
    func problems(_ key: String, _ value: JSONValue) -> [String] {
      LeadInput.decode(.object([key: value]), requiring: .partial).problems
    }
    #expect(problems("total_spend", -0.01) == ["total_spend out_of_range"])
    #expect(problems("total_spend", 1e13) == ["total_spend out_of_range"])
    #expect(problems("total_spend", true) == ["total_spend invalid_type"])
    #expect(problems("total_spend", nil) == ["total_spend invalid_type"])
    #expect(problems("visits", -1) == ["visits out_of_range"])
    #expect(problems("visits", 1e30) == ["visits invalid_type"])
    #expect(problems("visits", 0) == [])
  }

  @Test func countsCharactersNotBytes() throws {
    let input = try LeadInput.decode(["name": .string(String(repeating: "é", count: 200))], requiring: .partial).get()
    #expect(input.name?.count == 200)
    #expect(
      LeadInput.decode(["name": .string(String(repeating: "é", count: 201))], requiring: .partial).problems
        == ["name too_long"])
  }
}

@Suite struct UnknownFieldTests {
  @Test func aMillionUnknownFieldsAreReportedBriefly() {
    let unknown = (0..<1_000_000).map { (key: "u\($0)", value: JSONValue.int(1)) }
    let lead: JSONValue = .object(JSONObject([(key: "name", value: "Ann")] + unknown))
    guard case .failure(let error) = LeadInput.decode(lead, path: "leads[3]", requiring: .partial) else {
      Issue.record("accepted")
      return
    }
    #expect(error.errors.count == 101)
    #expect(error.errors.first?.field == "leads[3].u0" && error.errors.first?.code == "unknown_field")
    #expect(error.errors.last?.field == "leads[3]")
    #expect(error.errors.last?.message == "has 999900 more unknown fields")
  }
}

@Suite struct MetadataTests {
  private func problems(_ json: JSONValue) -> [String] { Metadata.decode(json, path: "metadata").problems }

  private func nested(_ depth: Int) -> JSONValue {
    (0..<depth).reduce(JSONValue.int(1)) { value, _ in ["k": value] }
  }

  @Test func mayBeFiveKeysDeep() throws {
    let document = try Metadata.decode(nested(5), path: "metadata").get()
    #expect(document[path: "k.k.k.k.k"] == 1)
    #expect(problems(nested(6)) == ["metadata.k.k.k.k.k.k too_deep"])
  }

  @Test func mayHaveAHundredKeysOverall() {
    let flat = JSONValue.object(JSONObject((0..<100).map { (key: "k\($0)", value: 1) }))
    #expect(problems(flat) == [])
    #expect(problems(["a": flat]) == ["metadata too_many"])
  }

  @Test func reportsAMillionBadElementsBriefly() {
    let list = JSONValue.array(Array(repeating: .null, count: 1_000))
    let bad = JSONValue.object(JSONObject((0..<100).map { (key: "k\($0)", value: list) }))
    let found = problems(bad)
    #expect(found.count == 100)
    #expect(found.first == "metadata.k0[0] invalid_type")
  }

  @Test func reportsAMillionBadKeysBriefly() {
    let bad = JSONValue.object(JSONObject((0..<100_000).map { (key: "\($0)", value: 1) }))
    #expect(problems(bad).count == 101)
  }

  @Test func limitsStringsAndArrays() {
    #expect(problems(["s": .string(String(repeating: "x", count: 1_024))]) == [])
    #expect(problems(["s": .string(String(repeating: "x", count: 1_025))]) == ["metadata.s too_long"])
    #expect(problems(["a": .array(Array(repeating: 1, count: 1_000))]) == [])
    #expect(problems(["a": .array(Array(repeating: 1, count: 1_001))]) == ["metadata.a too_many"])
    #expect(problems(["a": [["b": 1]], "c": [nil]]) == ["metadata.a[0] invalid_type", "metadata.c[0] invalid_type"])
  }

  @Test func hasAtMostSoManyBytes() {
    let text = JSONValue.string(String(repeating: "x", count: 1_000))
    func texts(_ count: Int) -> JSONValue { ["a": .array(Array(repeating: text, count: count))] }
    #expect(problems(texts(129)) == [])
    #expect(problems(texts(130)) == ["metadata too_large"])
  }

  @Test(arguments: ["", "a b", "a.b", "$a", "12", "é", "a\u{0}", String(repeating: "k", count: 65)])
  func refusesKeys(key: String) {
    #expect(problems(.object([key: 1])) == ["metadata.\(key) invalid_key"])
  }

  @Test func keepsEmptyObjectsAndArrays() throws {
    let document = try Metadata.decode(["o": [:], "a": []], path: "metadata").get()
    #expect(document["o"] == .document([:]))
    #expect(document["a"] == .array([]))
  }
}
