import BSON
import Mongo

/// Slots of a shared rate limit.
public struct RateReservation: Sendable, Equatable {
  /// How long from now until the first slot.
  public let wait: Duration
  /// Time between two slots.
  public let interval: Duration
}

extension Store {
  /// Reserves `count` slots of a limit that all replicas share, on MongoDB's clock.
  ///
  /// The generic cell rate algorithm (ITU-T I.371, virtual scheduling) with a burst of one: a stored theoretical arrival
  /// time moves by the emission interval for each slot, and never lies in the past when it starts to move, so an idle
  /// limit saves nothing up.
  public func reserveSlots(_ name: String, count: Int, perMinute: Int) async throws -> RateReservation {
    let intervalMS = 60_000.0 / Double(perMinute)
    return try await mongo.withConnection { connection in
      let start: BSONValue = ["$max": [["$ifNull": ["$next", "$$NOW"]], "$$NOW"]]
      let document = try connection.findAndModify(
        Collections.rateLimits, ["_id": .string(name)],
        pipeline: [
          ["$set": ["start": start, "now": "$$NOW"]],
          ["$set": ["next": ["$add": ["$start", .double((intervalMS * Double(count)).rounded(.up))]]]],
        ], returnNew: true, upsert: true)
      let first = document?["start"]?.dateMilliseconds ?? 0
      let now = document?["now"]?.dateMilliseconds ?? first
      return RateReservation(
        wait: .milliseconds(max(0, first - now)), interval: .microseconds(Int64(intervalMS * 1000)))
    }
  }
}
