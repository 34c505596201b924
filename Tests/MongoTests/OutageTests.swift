import BSON
import Foundation
import Mongo
import Testing

extension ServerTests {
  /// A server that stops answering, dies and comes back. It has a mongod of its own.
  @Suite struct OutageTests {
    private static func withServer(_ body: (MongodProcess, MongoClient) async throws -> Void) async throws {
      let mongod = try await MongodProcess.start()
      var configuration = MongoClient.Configuration(uri: mongod.uri, database: "outage")
      configuration.poolSize = 4
      configuration.serverSelectionTimeoutMS = 800
      configuration.connectTimeoutMS = 800
      configuration.socketTimeoutMS = 800
      configuration.heartbeatFrequencyMS = 500
      let client = try MongoClient(configuration)
      do {
        try await body(mongod, client)
      } catch {
        await client.close()
        try await mongod.destroy()
        throw error
      }
      await client.close()
      try await mongod.destroy()
    }

    /// How long an operation takes to fail, and how.
    private static func failure(_ body: () async throws -> Void) async -> (error: MongoError?, took: Duration) {
      var error: MongoError?
      let took = await ContinuousClock().measure {
        do { try await body() } catch let failed { error = failed as? MongoError }
      }
      return (error, took)
    }

    @Test func aFrozenOrDeadServerIsUnavailableInTimeAndRecoveryIsSeen() async throws {
      try await Self.withServer { mongod, client in
        try await client.withConnection { try $0.insertOne("c", ["_id": 1]) }

        try await mongod.suspend()
        let frozenRead = await Self.failure { try await client.withConnection { _ = try $0.findOne("c", [:]) } }
        let frozenWrite = await Self.failure { try await client.withConnection { try $0.insertOne("c", ["_id": 2]) } }
        let frozenPing = await Self.failure { try await client.ping(timeoutMS: 200) }
        mongod.resume()
        // One repetition, each with its selection and its answer.
        for failure in [frozenRead, frozenWrite] {
          #expect(failure.error?.kind == .unavailable)
          #expect(failure.error?.isRetryable == true)
          #expect(failure.took < .milliseconds(4 * 800))
        }
        #expect(frozenPing.error?.kind == .unavailable)
        #expect(frozenPing.took < .milliseconds(800))
        try await Poll.until("an answer after the thaw") { (try? await client.ping(timeoutMS: 1000)) != nil }
        let thawed = try await client.withConnection { try $0.findOne("c", ["_id": 1]) }
        #expect(thawed == ["_id": 1])

        try await mongod.kill()
        let dead = await Self.failure { try await client.withConnection { _ = try $0.findOne("c", [:]) } }
        #expect(dead.error?.kind == .unavailable)
        #expect(dead.took < .milliseconds(3 * 800))
        let transaction = await Self.failure {
          try await client.withTransaction(TransactionOptions(deadline: .seconds(2))) { connection in
            try connection.insertOne("c", ["_id": 3])
          }
        }
        #expect(transaction.error?.kind == .unavailable)
        #expect(transaction.took < .seconds(5))

        try mongod.launch()
        try await Poll.until("a write after the restart") {
          (try? await client.withConnection { try $0.updateOne("c", ["_id": 4], ["$set": ["n": 1]], upsert: true) })
            != nil
        }
        // What was acknowledged before the kill is there.
        #expect(try await client.withConnection { try $0.findOne("c", ["_id": 1]) } == ["_id": 1])
      }
    }
  }
}
