import Crypto
import Testing

@Suite struct UUIDBytesTests {
  private let dns = UUIDBytes(high: 0x6ba7_b810_9dad_11d1, low: 0x80b4_00c0_4fd4_30c8)

  /// RFC 9562, appendix A.4.
  @Test func namesMatchTheRFCsExample() {
    #expect(dns.string == "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    let uuid = UUIDBytes(v5: "www.example.com", namespace: dns)
    #expect(uuid.string == "2ed6657d-e927-568b-95e1-2665a8aea6a2")
    #expect(uuid.version == 5)
  }

  @Test func textAndBytesComeBackAsTheyWere() throws {
    for _ in 0..<100 {
      let uuid = UUIDBytes()
      #expect(UUIDBytes(uuid.string) == uuid)
      #expect(UUIDBytes(uuid.string.uppercased()) == uuid)
      #expect(UUIDBytes(bytes: uuid.bytes) == uuid)
      #expect(uuid.description == uuid.string)
    }
    #expect(UUIDBytes("00112233-4455-6677-8899-aabbccddeeff")?.bytes == (0..<16).map { UInt8($0 * 0x11) })
  }

  @Test(arguments: [
    "", "00112233445566778899aabbccddeeff", "{00112233-4455-6677-8899-aabbccddeeff}",
    "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeefg",
    "00112233-4455-6677-8899aabbccddeeff0-",
    "00112233-4455-6677-8899-aabbccddeeff0", "0011223é-4455-6677-8899-aabbccddeef",
    "+0112233-4455-6677-8899-aabbccddeeff",
  ])
  func refusesOtherForms(text: String) {
    #expect(UUIDBytes(text) == nil)
  }

  @Test func refusesAnotherNumberOfBytes() {
    #expect(UUIDBytes(bytes: [UInt8](repeating: 0, count: 15)) == nil)
    #expect(UUIDBytes(bytes: [UInt8](repeating: 0, count: 17)) == nil)
  }

  @Test func randomOnesAreOfVersionFourAndDiffer() {
    let uuids = Set((0..<1_000).map { _ in UUIDBytes() })
    #expect(uuids.count == 1_000)
    for uuid in uuids {
      #expect(uuid.version == 4)
      #expect(uuid.bytes[8] >> 6 == 0b10)
    }
  }

  @Test func orderIsThatOfTheBytes() throws {
    let uuids = (0..<50).map { _ in UUIDBytes() }
    #expect(uuids.sorted().map(\.string) == uuids.map(\.string).sorted())
  }
}
