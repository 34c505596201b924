import CRMCore
import CRMStore
import Crypto

/// Whether a run may still send, asked before every vendor call.
///
/// Calls share a reading of the run's state that began at most `maxAge` ago, so a call after a pause has begun within that
/// time of it, or was under way already. A state that cannot be read stops the call: it is not made and not used up.
actor RunGate {
  private struct Reading {
    var began: ContinuousClock.Instant
    var allows: Bool
  }

  static let maxAge = Duration.milliseconds(50)
  /// Runs remembered at most; more are forgotten all at once and read again.
  private static let mostRuns = 1000

  private let read: @Sendable (UUIDBytes) async throws -> RunState?
  private var readings: [UUIDBytes: Reading] = [:]
  private var underWay: [UUIDBytes: Task<Bool, Never>] = [:]

  init(read: @escaping @Sendable (UUIDBytes) async throws -> RunState?) { self.read = read }

  /// - Returns: whether a reading not older than `maxAge` lets the run send. An UNKNOWN send of a completed run may be
  ///   made again, which its claim has decided.
  func allows(_ run: UUIDBytes) async -> Bool {
    if let reading = readings[run], reading.began.duration(to: .now) <= Self.maxAge { return reading.allows }
    if let task = underWay[run] { return await task.value }
    let began = ContinuousClock.now
    let task = Task { [read] in
      guard let state = try? await read(run) else { return false }
      return state.resends
    }
    underWay[run] = task
    let allows = await task.value
    underWay[run] = nil
    if readings.count >= Self.mostRuns { readings = [:] }
    readings[run] = Reading(began: began, allows: allows)
    return allows
  }
}
