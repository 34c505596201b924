import BSON
import CRMCore
import Crypto
import Testing

@Suite struct SendIDTests {
  /// Fixed for ever: another value would send every message of a repeated job again.
  @Test func isTheSameForEver() {
    #expect(SendID.namespace.string == "8d5f2c1e-6b7a-4f03-9c41-e2a750d3b896")
    let id = SendID.make(run: Fixture.runID, lead: Fixture.leadID, channel: .whatsapp)
    #expect(id.string == "9281d0a5-d7f9-5276-bd71-a538d74f88dc")
    #expect(id.version == 5)
  }

  @Test func isTheDocumentedNameInTheDocumentedNamespace() {
    let id = SendID.make(run: Fixture.runID, lead: Fixture.leadID, channel: .sms)
    #expect(
      id
        == UUIDBytes(
          v5: "0b4c2d1e-1111-4222-8333-444455556666/65f0a1b2c3d4e5f601234567/sms", namespace: SendID.namespace))
  }

  @Test func differsByRunLeadAndChannel() {
    var ids: Set<UUIDBytes> = []
    for run in [Fixture.runID, Fixture.sendID] {
      for lead in [Fixture.leadID, Fixture.campaignID] {
        for channel in Channel.allCases { ids.insert(SendID.make(run: run, lead: lead, channel: channel)) }
      }
    }
    #expect(ids.count == 12)
  }
}
