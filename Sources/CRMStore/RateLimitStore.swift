import BSON
import Mongo

/// Slots of a shared rate limit.
public struct RateReservation: Sendable, Equatable {
  /// Whether the slots are ours. Without them nothing was reserved, and `wait` says when the next one is free.
  public let isGranted: Bool
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
  /// - Parameter patience: nothing is reserved when the first slot is further away than this; nil waits for any slot.
  public func reserveSlots(
    _ name: String, count: Int, perMinute: Int, patience: Duration? = nil
  ) async throws -> RateReservation {
    let intervalMS = 60_000.0 / Double(perMinute)
    let moved: BSONValue = ["$add": ["$start", .double((intervalMS * Double(count)).rounded(.up))]]
    let granted: BSONValue =
      patience.map { ["$lte": [["$subtract": ["$start", "$$NOW"]], .int64(Int64($0 / .milliseconds(1)))]] } ?? true
    return try await mongo.withConnection { connection in
      let start: BSONValue = ["$max": [["$ifNull": ["$next", "$$NOW"]], "$$NOW"]]
      let document = try connection.findAndModify(
        Collections.rateLimits, ["_id": .string(name)],
        pipeline: [
          ["$set": ["start": start, "now": "$$NOW"]], ["$set": ["granted": granted]],
          ["$set": ["next": ["$cond": ["$granted", moved, "$start"]]]],
        ], returnNew: true, upsert: true)
      let first = document?["start"]?.dateMilliseconds ?? 0
      let now = document?["now"]?.dateMilliseconds ?? first
      return RateReservation(
        isGranted: document?["granted"]?.boolValue ?? false, wait: .milliseconds(max(0, first - now)),
        interval: .microseconds(Int64(intervalMS * 1000)))
    }
  }
}
