import Crypto
import HTTP
import Runtime
import Synchronization

/// Remembers signed requests that have been carried out, so that somebody who recorded one cannot have it carried out again.
///
/// What is remembered is the signed content: id, time and body. A vendor that tries again signs anew, with a new time under
/// the same id, and is not taken for a replay. A request is entered after the broker has acknowledged what it said, so that
/// one that failed may come again as it is.
///
/// Memory is bounded: two generations of so many entries of 16 bytes, each kept for as long as a signature is good. Above
/// that rate the oldest are forgotten early, which costs nothing but the refusal: a receipt that counts twice changes nothing.
final class ReplayGuard: Sendable {
  static let capacity = 250_000

  private struct State {
    var young: Set<SIMD2<UInt64>> = []
    var old: Set<SIMD2<UInt64>> = []
    var began = ContinuousClock.now
  }

  private let capacity: Int
  private let lifetime: Duration
  private let state = Mutex(State())

  /// - Parameter lifetime: for which a signature is good, from the earliest acceptable moment to the last.
  init(capacity: Int = ReplayGuard.capacity, lifetime: Duration) {
    self.capacity = capacity
    self.lifetime = lifetime
  }

  /// Names a request by what its signature is over.
  static func fingerprint(id: String, timestamp: String, body: [UInt8]) -> SIMD2<UInt64> {
    let digest = SHA256.digest(Array("\(id).\(timestamp).".utf8) + body)
    func word(_ start: Int) -> UInt64 { digest[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    return SIMD2(word(0), word(8))
  }

  func contains(_ fingerprint: SIMD2<UInt64>) -> Bool {
    state.withLock { $0.young.contains(fingerprint) || $0.old.contains(fingerprint) }
  }

  func insert(_ fingerprint: SIMD2<UInt64>, now: ContinuousClock.Instant = .now) {
    state.withLock { state in
      if now - state.began >= lifetime || state.young.count >= capacity {
        // Nothing in the old generation is younger than the young one's beginning.
        state.old = state.young
        state.young = []
        state.began = now
      }
      state.young.insert(fingerprint)
    }
  }

  var count: Int { state.withLock { $0.young.count + $0.old.count } }
}
