import BSON
import Foundation
import Testing

@Suite struct ObjectIDTests {
  @Test func hexAndBytesRoundTrip() throws {
    let id = try #require(ObjectID(hex: "65a0F1e2d3c4b5a697887766"))
    #expect(id.hex == "65a0f1e2d3c4b5a697887766")
    #expect(id.seconds == 0x65a0_f1e2)
    #expect(ObjectID(bytes: id.bytes) == id)
    #expect("\(id)" == id.hex)
  }

  @Test(arguments: [
    "", "65a0f1e2d3c4b5a69788776", "65a0f1e2d3c4b5a6978877660", "65a0f1e2d3c4b5a69788776g", "é5a0f1e2d3c4b5a69788776",
  ])
  func malformedHexIsNil(text: String) { #expect(ObjectID(hex: text) == nil) }

  @Test func orderIsThatOfTheBytes() throws {
    let ids = (0..<200).map { seed in
      var random = SeededGenerator(seed: UInt64(seed))
      return random.objectID()
    }
    #expect(ids.sorted().map(\.hex) == ids.map(\.hex).sorted())
    let bound = ObjectID(lowestAt: 1_700_000_000)
    #expect(bound.hex == "6553f1000000000000000000")
    #expect(ObjectID() > bound)
  }

  @Test func generatedOnesCarryTheTimeAndAreUniqueAcrossThreads() async {
    let now = UInt32(Date().timeIntervalSince1970)
    #expect((now...now + 2).contains(ObjectID().seconds))
    let batches = await withTaskGroup(of: [ObjectID].self) { group in
      for _ in 0..<8 { group.addTask { (0..<5000).map { _ in ObjectID() } } }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(batches).count == 40_000)
    #expect(Set(batches.map { Array($0.bytes[4..<9]) }).count == 1)
  }
}
