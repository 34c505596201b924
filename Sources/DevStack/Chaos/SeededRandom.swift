/// A random sequence that is the same for the same seed and label: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
///
/// Each part of a plan has a sequence of its own, so that how often one part draws does not move the others.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64, _ label: String) {
    // FNV-1a of the label.
    state = label.utf8.reduce(0xcbf2_9ce4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    _ = next()
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
}
