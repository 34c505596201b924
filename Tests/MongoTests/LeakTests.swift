import BSON
import Foundation
import Mongo
import Testing

extension ServerTests {
  /// Every path of the wrapper, often enough that a leak of a few bytes in one of them shows.
  @Suite struct LeakTests {
    /// One round has ten operations; some of them fail on purpose.
    private static func round(_ connection: MongoConnection, _ name: String, _ index: Int) throws {
      let id: BSONValue = .int64(Int64(index % 100))
      _ = try connection.findOne(name, ["_id": id])
      _ = try connection.findOne(name, ["_id": -1])
      _ = try connection.findOne(name, ["n": ["$gte": 0]], FindOptions(projection: ["n": 1], sort: ["_id": -1]))
      try connection.updateOne(name, ["_id": id], ["$inc": ["n": 1]])
      _ = try connection.insertMany(name, [["_id": id], ["_id": 5]])
      _ = try? connection.insertOne(name, ["_id": id])
      _ = try? connection.findOne(name, ["$nonsense": 1])
      _ = try? connection.command(["noSuchCommand": 1])
      _ = try? connection.updateOne(name, ["_id": id], ["plain": 1])
      try connection.find(name, [:], FindOptions(batchSize: 5)) { _ in .stop }
    }

    private static func run(_ client: MongoClient, _ name: String, rounds: Int) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<4 {
          group.addTask {
            for start in stride(from: 0, to: rounds / 4, by: 25) {
              try await client.withConnection { connection in
                for index in start..<(start + 25) { try round(connection, name, index * 4 + worker) }
              }
              // A transaction that is aborted, for its session.
              try? await client.withTransaction { connection in
                _ = try connection.findOne(name, ["_id": 1])
                throw CancellationError()
              }
            }
          }
        }
        try await group.waitForAll()
      }
    }

    @Test func aHundredThousandOperationsLeaveMemoryFlat() async throws {
      let (client, name) = try await Fixture.collection()
      let rounds = ProcessInfo.processInfo.environment["MINICRM_LEAK_ROUNDS"].flatMap(Int.init) ?? 10_000
      try await client.withConnection { connection in
        _ = try connection.insertMany(name, (0..<100).map { ["_id": .int64($0), "n": 0] })
      }
      try await Self.run(client, name, rounds: rounds / 8)
      let warm = Memory.residentBytes()
      try await Self.run(client, name, rounds: rounds)
      let growth = Memory.residentBytes() - warm
      // 100 bytes lost per round of ten operations would be 1 MB; the allocator's slack is of that order.
      #expect(growth < 3 << 20, "grew by \(growth >> 10) KiB")
    }
  }
}
