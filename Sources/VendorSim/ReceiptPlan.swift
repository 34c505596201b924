import CivilTime

/// What becomes of an accepted message, and when its receipts are due.
///
/// It follows from the message's id, the time of its acceptance and the behaviour that applied, and from nothing else:
/// after a restart the same plan is made again, so that no plan has to be stored.
struct ReceiptPlan: Equatable {
  let failed: Bool
  /// When the message got its final status; the receipt's `timestamp`.
  let settlesAt: Timestamp
  /// One time for each copy of the receipt; empty when the receipt is dropped.
  let due: [Timestamp]
  /// The first copy is sent by the call itself, before its answer.
  let early: Bool

  init(_ id: VendorMessageID, acceptedAt: Timestamp, _ behaviour: Behaviour) {
    var random = SplitMix64(state: UInt64(id.ledger) << 32 | UInt64(id.seq))
    failed = random.unit() < behaviour.failureRate
    let delay = behaviour.delayMS[0] + random.below(behaviour.delayMS[1] - behaviour.delayMS[0] + 1)
    let dropped = random.unit() < behaviour.receipts.dropRate
    early = behaviour.receipts.early && !dropped
    let settlesAt = early ? acceptedAt : acceptedAt.advanced(by: .milliseconds(behaviour.acceptDelayMS + delay))
    self.settlesAt = settlesAt
    due = (0..<(dropped ? 0 : behaviour.receipts.duplicate)).map { copy in
      if copy == 0, behaviour.receipts.early { return acceptedAt }
      let extra =
        (copy == 0 ? 0 : random.below(ReceiptPlan.copyDelayMS)) + (behaviour.receipts.shuffle ? random.below(1000) : 0)
      return settlesAt.advanced(by: .milliseconds(extra))
    }
  }

  /// Copies of a receipt come within this many milliseconds after it.
  private static let copyDelayMS = 50
}

/// S. Vigna's SplitMix64: a few instructions, and the same numbers on every machine.
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Uniform in 0 ..< 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0 ..< limit.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(1, limit))) }
}
