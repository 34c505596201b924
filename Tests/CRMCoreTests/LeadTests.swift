import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct LeadTests {
  private let later = Fixture.now.advanced(by: .seconds(5))

  @Test func comesBackFromItsDocument() throws {
    let lead = Fixture.lead(optedOut: [.email: Fixture.now])
    #expect(try Lead(bson: lead.bson()) == lead)
    #expect(
      lead.bson().keys == [
        "_id", "name", "emails", "phones", "tags", "total_spend", "visits", "last_order_at", "metadata", "opted_out",
        "created_at", "updated_at",
      ])
    let sparse = Fixture.lead(phones: [], tags: [], lastOrderAt: nil, metadata: [:])
    #expect(try Lead(bson: sparse.bson()) == sparse)
  }

  @Test func saysWhichFieldOfADocumentIsBad() {
    var document = Fixture.lead().bson()
    document["emails"] = [1]
    let error = #expect(throws: DocumentShapeError.self) { try Lead(bson: document) }
    #expect(error?.field == "emails")
    #expect(error?.id == Fixture.leadID.hex)
    #expect(throws: DocumentShapeError.self) { try Lead(bson: [:]) }
  }

  @Test func showsItselfAsJSON() {
    let json = Fixture.lead(lastOrderAt: nil, optedOut: [.sms: Fixture.now]).jsonValue
    #expect(
      json == [
        "_id": "65f0a1b2c3d4e5f601234567", "name": "John Doe", "emails": ["john@example.com"],
        "phones": ["+14155550123"], "tags": ["vip"], "total_spend": 1234.5, "visits": 7, "last_order_at": nil,
        "metadata": ["city": "Berlin"], "opted_out": ["sms": "2026-03-31T10:30:00.000Z"],
        "created_at": "2026-03-31T09:30:00.000Z", "updated_at": "2026-03-31T10:29:00.000Z",
      ])
  }

  @Test func isReachedAtItsFirstAddress() {
    let lead = Fixture.lead(emails: ["a@b.co", "c@d.ef"], phones: ["+11111111", "+22222222"])
    #expect(lead.address(for: .email) == "a@b.co")
    #expect(lead.address(for: .sms) == "+11111111")
    #expect(lead.address(for: .whatsapp) == "+11111111")
    #expect(Fixture.lead(phones: []).address(for: .sms) == nil)
  }

  @Test func anImportAddsAddressesAndMetadataAndReplacesTheRest() throws {
    let existing = Fixture.lead(emails: ["a@b.co"], metadata: ["city": "Berlin", "plan": ["tier": 1]])
    let input = LeadInput(
      name: "New", emails: ["c@d.ef", "a@b.co"], tags: ["x"], visits: 0, metadata: ["plan": ["rank": 2], "age": 3])
    let (lead, changed) = try input.merged(into: existing, at: later)
    #expect(changed)
    #expect(lead.emails == ["a@b.co", "c@d.ef"])
    #expect(lead.name == "New")
    #expect(lead.phones == existing.phones)
    #expect(lead.tags == ["x"])
    #expect(lead.visits == 0)
    #expect(lead.totalSpend == existing.totalSpend)
    #expect(lead.metadata == ["city": "Berlin", "plan": ["rank": 2], "age": 3])
    #expect(lead.updatedAt == later)
    #expect(lead.createdAt == existing.createdAt)
  }

  @Test func anImportThatSaysNothingNewChangesNothing() throws {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let same = LeadInput(
      name: existing.name, emails: existing.emails, phones: existing.phones, metadata: ["city": "Berlin"],
      optedOut: [.sms: later])
    let (lead, changed) = try same.merged(into: existing, at: later)
    #expect(!changed)
    #expect(lead == existing)
  }

  @Test func anImportMakesNoLeadLargerThanOneMayBe() throws {
    func problems(_ input: LeadInput, into lead: Lead) -> [String] {
      do throws(ValidationError) {
        _ = try input.merged(into: lead, at: later)
        return []
      } catch {
        return error.errors.map { "\($0.field) \($0.code)" }
      }
    }
    func addresses(_ numbers: Range<Int>) -> [String] { numbers.map { "a\($0)@b.co" } }
    let known = Fixture.lead(emails: addresses(0..<30))
    #expect(problems(LeadInput(emails: addresses(10..<50)), into: known) == [])
    #expect(problems(LeadInput(emails: addresses(10..<51)), into: known) == ["emails too_many"])

    func metadata(_ keys: Range<Int>, letters: Int = 1) -> BSONDocument {
      BSONDocument(keys.map { (key: "k\($0)", value: .string(String(repeating: "x", count: letters))) })
    }
    let full = Fixture.lead(metadata: metadata(0..<100))
    #expect(problems(LeadInput(metadata: metadata(0..<100, letters: 900)), into: full) == [])
    #expect(problems(LeadInput(metadata: metadata(100..<101)), into: full) == ["metadata too_many"])
    let many = BSONValue.array(Array(repeating: .string(String(repeating: "x", count: 1000)), count: 60))
    let large = Fixture.lead(metadata: ["a": many, "b": many])
    #expect(problems(LeadInput(metadata: ["c": many]), into: large) == ["metadata too_large"])
    #expect(problems(LeadInput(metadata: ["b": many]), into: large) == [])
    // What is there already may stay, and may shrink.
    let larger = Fixture.lead(metadata: ["a": many, "b": many, "c": many, "d": many])
    #expect(problems(LeadInput(metadata: ["d": 1]), into: larger) == [])
  }

  @Test func anImportNeverTakesAnOptOutBack() throws {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let (lead, _) = try LeadInput(emails: existing.emails, optedOut: [.email: later]).merged(into: existing, at: later)
    #expect(lead.optedOut == [.sms: Fixture.now, .email: later])
  }

  @Test func decomposedAndComposedTextDiffer() throws {
    let existing = Fixture.lead(name: "Jos\u{E9}")
    let (lead, changed) = try LeadInput(name: "Jose\u{301}").merged(into: existing, at: later)
    #expect(changed)
    #expect(lead.name.unicodeScalars.count == 5)
  }

  @Test func aNewLeadHasSpentNothingUnlessGiven() {
    let lead = LeadInput(name: "N", emails: ["n@b.co"]).newLead(id: Fixture.leadID, at: Fixture.now)
    #expect(lead.totalSpend == 0 && lead.visits == 0 && lead.lastOrderAt == nil)
    #expect(lead.createdAt == Fixture.now && lead.updatedAt == Fixture.now)
  }
}
