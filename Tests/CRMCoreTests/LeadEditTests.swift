import BSON
import CivilTime
import JSON
import Testing

@testable import CRMCore

/// `PUT` and `PATCH` of a lead.
@Suite struct LeadEditTests {
  private let later = Timestamp(milliseconds: Fixture.now.milliseconds + 60_000)

  private func patch(_ json: JSONValue, _ existing: Lead) throws -> (lead: Lead, changed: Bool) {
    try LeadEdit.patch(json).get().applied(to: existing, at: later)
  }

  private func put(_ json: JSONValue, _ existing: Lead) throws -> (lead: Lead, changed: Bool) {
    try LeadEdit.replacement(json).get().applied(to: existing, at: later)
  }

  private func codes(_ result: Result<LeadEdit, ValidationError>) -> [String] {
    guard case .failure(let error) = result else { return [] }
    return error.errors.map { "\($0.field) \($0.code)" }
  }

  @Test func aReplacementEmptiesWhatIsNotGivenButKeepsWhatOrdersAndOptOutsRecorded() throws {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let (lead, changed) = try put(["name": "N", "emails": ["N@b.co"]], existing)
    #expect(changed)
    #expect(lead.emails == ["n@b.co"])
    #expect(lead.phones.isEmpty && lead.tags.isEmpty && lead.metadata.isEmpty)
    #expect(lead.totalSpend == existing.totalSpend && lead.visits == existing.visits)
    #expect(lead.lastOrderAt == existing.lastOrderAt)
    #expect(lead.optedOut == existing.optedOut)
    #expect(lead.createdAt == existing.createdAt)
    #expect(lead.updatedAt == later)
  }

  @Test func onlyAChannelSetToNullIsOpenedAgain() throws {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let whole: JSONValue = ["name": "N", "emails": ["n@b.co"], "opted_out": [:]]
    #expect(try put(whole, existing).lead.optedOut == existing.optedOut)
    #expect(try patch(["opted_out": [:]], existing) == (existing, false))
    #expect(try patch(["opted_out": ["sms": nil]], existing).lead.optedOut.isEmpty)
    let both: JSONValue = [
      "name": "N", "emails": ["n@b.co"], "opted_out": ["sms": nil, "email": "2026-01-01T00:00:00Z"],
    ]
    #expect(try put(both, existing).lead.optedOut.keys.map(\.rawValue) == ["email"])
    #expect(codes(LeadEdit.patch(["opted_out": nil])) == ["opted_out not_removable"])
    #expect(codes(LeadEdit.patch(["opted_out": ["fax": nil]])) == ["opted_out.fax unknown_field"])
  }

  @Test func aPatchReplacesWhatItGivesAndNothingElse() throws {
    let existing = Fixture.lead()
    let (lead, changed) = try patch(["name": "New", "emails": ["X@y.co"]], existing)
    #expect(changed)
    var expected = existing
    expected.name = "New"
    expected.emails = ["x@y.co"]
    expected.updatedAt = later
    #expect(lead == expected)
    #expect(try patch([:], existing) == (existing, false))
  }

  @Test func nullTakesAway() throws {
    let existing = Fixture.lead(metadata: ["city": "Oslo"])
    let (lead, _) = try patch(["phones": nil, "tags": nil, "metadata": nil, "last_order_at": nil], existing)
    #expect(lead.phones.isEmpty && lead.tags.isEmpty && lead.metadata.isEmpty && lead.lastOrderAt == nil)
    #expect(
      Set(codes(LeadEdit.patch(["name": nil, "emails": nil, "total_spend": nil, "visits": nil])))
        == ["name not_removable", "emails not_removable", "total_spend not_removable", "visits not_removable"])
  }

  /// The examples of RFC 7396, appendix A, as far as metadata can hold them.
  @Test(arguments: [
    (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
    (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
    (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
    (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
    (#"{"a":"foo"}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
  ])
  func metadataIsMergedAtEveryLevel(target: String, patch text: String, result: String) throws {
    let target = try Metadata.decode(try JSONValue.parse(Array(target.utf8)), path: "").get()
    let (lead, _) = try patch(
      ["metadata": try JSONValue.parse(Array(text.utf8))], Fixture.lead(metadata: target))
    #expect(JSONValue.object(JSONObject(bson: lead.metadata)).encodedString() == result)
  }

  @Test func mergedMetadataHasItsLimitToo() throws {
    let keys = { (prefix: String) -> JSONValue in
      .object(JSONObject((0..<60).map { (key: "\(prefix)\($0)", value: JSONValue.int(1)) }))
    }
    let existing = Fixture.lead(metadata: try Metadata.decode(keys("a"), path: "").get())
    #expect(throws: ValidationError.self) { try patch(["metadata": keys("b")], existing) }
  }

  @Test func unknownFieldsAndWrongTypesAreNamed() {
    #expect(
      Set(codes(LeadEdit.patch(["_id": "x", "order_totals": nil, "name": 1, "metadata": ["a.b": 1]])))
        == ["_id unknown_field", "order_totals unknown_field", "name invalid_type", "metadata.a.b invalid_key"])
    #expect(codes(LeadEdit.patch([])) == ["body invalid_type"])
    #expect(codes(LeadEdit.replacement("x")) == ["body invalid_type"])
  }
}
