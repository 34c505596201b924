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

  @Test func anImportAddsAddressesAndMetadataAndReplacesTheRest() {
    let existing = Fixture.lead(emails: ["a@b.co"], metadata: ["city": "Berlin", "plan": ["tier": 1]])
    let input = LeadInput(
      name: "New", emails: ["c@d.ef", "a@b.co"], tags: ["x"], visits: 0, metadata: ["plan": ["rank": 2], "age": 3])
    let (lead, changed) = input.merged(into: existing, at: later)
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

  @Test func anImportThatSaysNothingNewChangesNothing() {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let same = LeadInput(
      name: existing.name, emails: existing.emails, phones: existing.phones, metadata: ["city": "Berlin"],
      optedOut: [.sms: later])
    let (lead, changed) = same.merged(into: existing, at: later)
    #expect(!changed)
    #expect(lead == existing)
  }

  @Test func anImportNeverTakesAnOptOutBack() {
    let existing = Fixture.lead(optedOut: [.sms: Fixture.now])
    let (lead, _) = LeadInput(emails: existing.emails, optedOut: [.email: later]).merged(into: existing, at: later)
    #expect(lead.optedOut == [.sms: Fixture.now, .email: later])
  }

  @Test func decomposedAndComposedTextDiffer() {
    let existing = Fixture.lead(name: "Jos\u{E9}")
    let (lead, changed) = LeadInput(name: "Jose\u{301}").merged(into: existing, at: later)
    #expect(changed)
    #expect(lead.name.unicodeScalars.count == 5)
  }

  @Test func aNewLeadHasSpentNothingUnlessGiven() {
    let lead = LeadInput(name: "N", emails: ["n@b.co"]).newLead(id: Fixture.leadID, at: Fixture.now)
    #expect(lead.totalSpend == 0 && lead.visits == 0 && lead.lastOrderAt == nil)
    #expect(lead.createdAt == Fixture.now && lead.updatedAt == Fixture.now)
  }
}
