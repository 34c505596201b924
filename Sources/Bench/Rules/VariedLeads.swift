import BSON
import CRMCore
import CivilTime

/// Made-up leads as a shop has them, the same at every run: spend falls off, most orders are old, cities and tags are
/// unequally common, and some fields are missing.
struct VariedLeads {
  /// The instant from which dates count back.
  static let now = Timestamp(milliseconds: 1_774_953_000_000)

  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(state: seed) }

  mutating func next(_ index: Int) -> Lead {
    let first = pick(Self.firstNames)
    let last = pick(Self.lastNames)
    let daysAgo = below(below(730) + 1)
    let createdAt = Self.now.advanced(by: .seconds(-86_400 * (1 + below(1_500))))
    return Lead(
      id: ObjectID(), name: "\(first) \(last)", emails: ["customer.\(index)@example.org"],
      phones: chance(70) ? ["+4915\(100_000_000 + index)"] : [], tags: tags(),
      totalSpend: spend(), visits: Int64(below(below(40) + 1)),
      lastOrderAt: chance(85) ? Self.now.advanced(by: .seconds(-86_400 * daysAgo - below(86_400))) : nil,
      metadata: metadata(), optedOut: chance(5) ? [.email: createdAt] : [:], createdAt: createdAt,
      updatedAt: createdAt)
  }

  /// Most of it small, a tail to 20,000, in cents.
  private mutating func spend() -> Double {
    let share = Double(below(1_000_000)) / 1_000_000
    return (20_000 * share * share * share * 100).rounded() / 100
  }

  private mutating func tags() -> [String] {
    var tags: [String] = []
    for _ in 0..<below(5) {
      // The first ones are the most common.
      let tag = Self.tags[below(below(Self.tags.count) + 1)]
      if !tags.contains(tag) { tags.append(tag) }
    }
    return tags
  }

  private mutating func metadata() -> BSONDocument {
    var metadata = BSONDocument()
    metadata.append("source", pick(["web", "store", "partner", "import"]))
    if chance(90) { metadata.append("city", Self.cities[below(below(Self.cities.count) + 1)]) }
    if chance(60) { metadata.append("age", Int64(18 + below(70))) }
    if chance(30) { metadata.append("plan", pick(["free", "plus", "pro"])) }
    if chance(30) { metadata.append("newsletter", chance(50)) }
    if chance(20) {
      metadata.append("address", document: ["zip": .string("\(10_000 + below(80_000))"), "country": "DE"])
    }
    return metadata
  }

  private mutating func below(_ count: Int) -> Int { Int(truncatingIfNeeded: random.next() >> 33) % count }
  private mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  private mutating func pick(_ elements: [String]) -> String { elements[below(elements.count)] }

  private static let firstNames = [
    "Ana", "Björn", "Chloé", "Dmitri", "Emeka", "Farah", "Goran", "Hana", "Iván", "Jürgen",
  ]
  private static let lastNames = ["Okafor", "Müller", "Nguyen", "Rossi", "Silva", "Tanaka", "Novák", "Haddad", "Kim"]
  private static let cities = [
    "Lisbon", "Pune", "Lyon", "Porto", "Kraków", "Osaka", "Lagos", "Austin", "Malmö", "San Luis Potosí", "Quito",
    "Oulu",
  ]
  private static let tags = ["newsletter", "vip", "trial", "returning", "store", "loyalty-gold", "wholesale", "press"]
}

/// SplitMix64.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
