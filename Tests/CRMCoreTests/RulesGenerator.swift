import BSON
import CRMCore
import CivilTime
import JSON

/// Random rules and leads that meet often: both draw on the same few names, texts, numbers and dates.
///
/// A seed gives the same sequence on every machine.
struct RuleGenerator {
  private var random: RuleRandom
  private var vocabulary: [String] = []

  init(seed: UInt64) {
    random = RuleRandom(state: seed)
    renewVocabulary()
  }

  // MARK: Rules

  /// A rule over lead fields, at most `depth` groups deep.
  mutating func rule(depth: Int = 6, behaviours: Bool = false) -> JSONValue {
    if depth == 0 || chance(35) { return behaviours && chance(15) ? behaviour() : condition() }
    switch below(5) {
    case 0: return ["op": "NOT", "children": [rule(depth: depth - 1, behaviours: behaviours)]]
    case 1, 2: return ["op": "AND", "children": .array(children(depth, behaviours))]
    default: return ["op": "OR", "children": .array(children(depth, behaviours))]
    }
  }

  private mutating func children(_ depth: Int, _ behaviours: Bool) -> [JSONValue] {
    (0..<(1 + below(3))).map { _ in rule(depth: depth - 1, behaviours: behaviours) }
  }

  mutating func condition() -> JSONValue {
    switch below(12) {
    case 0, 1: return textCondition(pick(["name", "emails", "phones"]))
    case 2, 3: return tagCondition()
    case 4: return numberCondition(pick(["total_spend", "visits"]))
    case 5, 6: return dateCondition(pick(Self.dateFields))
    default: return metadataCondition()
    }
  }

  static let dateFields = ["last_order_at", "created_at", "updated_at", "opted_out.sms", "opted_out.email"]

  private static let metadataPaths = ["a", "b", "list", "object.x", "list.x", "deep.er.still", "none", "object"]

  private mutating func make(_ field: String, _ op: String, _ value: JSONValue) -> JSONValue {
    ["type": "condition", "field": .string(field), "operator": .string(op), "value": value]
  }

  private mutating func textCondition(_ field: String) -> JSONValue {
    switch below(6) {
    case 0: return make(field, pick(["=", "!="]), chance(15) ? nil : .string(text()))
    case 1: return make(field, pick(["IN", "NOT_IN"]), list { .string($0.text()) })
    case 2: return make(field, pick(["STARTS_WITH", "ENDS_WITH"]), .string(needle()))
    case 3, 4: return make(field, pick(["CONTAINS", "NOT_CONTAINS"]), .string(needle()))
    default: return make(field, pick(["EXISTS", "IS_EMPTY"]), .bool(chance(50)))
    }
  }

  private mutating func tagCondition() -> JSONValue {
    switch below(5) {
    case 0: return make("tags", pick(["=", "!="]), chance(15) ? nil : .string(text()))
    case 1: return make("tags", pick(["IN", "NOT_IN", "HAS_ANY", "HAS_ALL", "HAS_NONE"]), list { .string($0.text()) })
    case 2: return make("tags", "HAS_ALL", [.string(text()), .string(text())])
    case 3: return make("tags", pick(["CONTAINS", "NOT_CONTAINS"]), .string(needle()))
    default: return make("tags", pick(["EXISTS", "IS_EMPTY"]), .bool(chance(50)))
    }
  }

  private mutating func numberCondition(_ field: String) -> JSONValue {
    switch below(5) {
    case 0: return make(field, pick(["=", "!="]), chance(15) ? nil : number())
    case 1: return make(field, pick(["IN", "NOT_IN"]), list { $0.number() })
    case 2: return make(field, pick([">", "<", ">=", "<="]), number())
    case 3: return make(field, "BETWEEN", numberRange())
    default: return make(field, pick(["EXISTS", "IS_EMPTY"]), .bool(chance(50)))
    }
  }

  private mutating func dateCondition(_ field: String) -> JSONValue {
    switch below(7) {
    case 0: return make(field, pick(["=", "!="]), chance(15) ? nil : .string(date()))
    case 1: return make(field, pick(["IN", "NOT_IN"]), list { .string($0.date()) })
    case 2, 3: return make(field, pick([">", "<", ">=", "<="]), .string(date()))
    case 4: return make(field, "BETWEEN", dateRange())
    case 5: return make(field, pick(["WITHIN_LAST", "WITHIN_NEXT"]), .string(span()))
    default: return make(field, pick(["EXISTS", "IS_EMPTY"]), .bool(chance(50)))
    }
  }

  private mutating func metadataCondition() -> JSONValue {
    let field = "metadata." + pick(Self.metadataPaths)
    switch below(7) {
    case 0: return make(field, pick(["=", "!="]), chance(15) ? nil : scalar())
    case 1: return make(field, pick(["IN", "NOT_IN"]), list { $0.scalar() })
    case 2: return make(field, pick([">", "<", ">=", "<="]), chance(60) ? number() : .string(text()))
    case 3: return make(field, "BETWEEN", chance(60) ? numberRange() : textRange())
    case 4: return make(field, pick(["CONTAINS", "NOT_CONTAINS"]), .string(needle()))
    case 5: return make(field, pick(["STARTS_WITH", "ENDS_WITH"]), .string(needle()))
    default: return make(field, pick(["EXISTS", "IS_EMPTY"]), .bool(chance(50)))
    }
  }

  // MARK: Behaviour

  mutating func behaviour() -> JSONValue {
    switch below(4) {
    case 0: return ["type": "segment", "segment_id": .string(Self.ids[below(2)].hex)]
    case 1:
      var campaign: JSONObject = [
        "type": "campaign", "campaign_id": .string(chance(40) ? "any" : Self.ids[below(2)].hex),
        "status": .string(pick(["SENT", "DELIVERED", "READ", "FAILED", "any"])),
      ]
      if chance(50) { campaign["within"] = .string(span()) }
      if chance(60) { campaign["negate"] = .bool(chance(50)) }
      return .object(campaign)
    default:
      var orders: JSONObject = ["type": "orders"]
      if chance(60) { orders["where"] = orderRule(depth: 2) }
      if chance(40) { orders["within"] = .string(span()) }
      let measure = pick(["count", "sum", "average", "first", "last"])
      orders["measure"] = .string(measure)
      let isDate = measure == "first" || measure == "last"
      let operators = ["=", "!=", ">", "<", ">=", "<=", "BETWEEN", "IN", "NOT_IN"]
      let op = pick(isDate ? operators + ["WITHIN_LAST", "WITHIN_NEXT"] : operators)
      orders["operator"] = .string(op)
      switch (op, isDate) {
      case ("BETWEEN", _): orders["value"] = isDate ? dateRange() : [.int(Int64(below(2))), .int(2 + Int64(below(60)))]
      case ("IN", _), ("NOT_IN", _): orders["value"] = list { isDate ? .string($0.date()) : .int(Int64($0.below(4))) }
      case ("WITHIN_LAST", _), ("WITHIN_NEXT", _): orders["value"] = .string(span())
      default: orders["value"] = isDate ? .string(date()) : .int(Int64(pick([0, 1, 2, 3, 5, 10, 50])))
      }
      return .object(orders)
    }
  }

  static let ids = [ObjectID(hex: "65f000000000000000000001")!, ObjectID(hex: "65f000000000000000000002")!]

  private mutating func orderRule(depth: Int) -> JSONValue {
    if depth > 0, chance(40) {
      if chance(30) { return ["op": "NOT", "children": [orderRule(depth: depth - 1)]] }
      return [
        "op": .string(pick(["AND", "OR"])), "children": [orderRule(depth: depth - 1), orderRule(depth: depth - 1)],
      ]
    }
    switch below(6) {
    case 0: return textCondition(pick(["order_no", "currency"]))
    case 1: return textCondition("items.sku")
    case 2, 3: return numberCondition(pick(["items.quantity", "items.price"]))
    case 4: return numberCondition("total")
    default: return dateCondition("ordered_at")
    }
  }

  // MARK: Values

  /// Texts that some comparison could take for one another.
  static let families: [[String]] = [
    ["", "a", "A", "ab", "a\u{301}", "\u{FF41}\u{FF22}"], ["vip", "VIP", "vipX", "xvip", "\u{17F}ip", "sip"],
    ["Pune", "pune", "PUNE ", "New York", "x y"], ["\u{E9}", "e\u{301}", "\u{C9}", "e", "E"],
    ["caf\u{E9}", "cafe\u{301}", "CAF\u{C9}", "cafe"],
    ["\u{DF}", "ss", "SS", "\u{1E9E}", "stra\u{DF}e", "STRASSE"], ["\u{212A}elvin", "kelvin", "Kelvin", "k"],
    ["\u{3A3}\u{3C2}", "\u{3C3}\u{3C3}", "\u{3C2}"], ["\u{1C5}", "\u{1C6}", "\u{1C4}"],
    ["\u{130}", "i", "\u{131}", "I", "i\u{307}"],
    ["\u{10400}", "\u{10428}", "\u{1F600} smile", "\u{1D49C}", "\u{FF41}", "z"],
    ["a.b*c", "a+b", "aab", "$gt", "^a$", "(a|b)", "[x]", "\\", "\\z", "#tag", "-"], ["x\ny", "x\n", "x", "y", "\nx"],
    ["2026-01-01", "2026-03-31T10:30:00Z", "10", "5", "true", "null"],
    ["ann@example.com", "bob@example.org", "Ann@Example.com", ".com"], ["+14155550123", "+919812345678", "+1"],
    ["\u{345}\u{3B9}", "\u{1FBE}", "\u{399}"],
  ]

  /// Chooses the few texts that rules and leads mostly draw on until the next time, so that they meet.
  mutating func renewVocabulary() { vocabulary = pick(Self.families) + pick(Self.families) }

  mutating func text() -> String {
    if chance(75) { return pick(vocabulary) }
    return chance(50) ? pick(pick(Self.families)) : pick(vocabulary) + pick(vocabulary)
  }

  /// A piece of a text; never blank.
  mutating func needle() -> String {
    for _ in 0..<8 {
      let scalars = Array(text().unicodeScalars)
      guard !scalars.isEmpty else { continue }
      let start = below(scalars.count)
      let end = start + 1 + below(scalars.count - start)
      var piece = String(String.UnicodeScalarView(scalars[start..<end]))
      if chance(25) { piece = chance(50) ? piece.uppercased() : piece.lowercased() }
      if piece.contains(where: { !$0.isWhitespace }) { return piece }
    }
    return "a"
  }

  static let numbers: [JSONValue] = [
    0, 1, 2, 3, 5, 5.0, 5.5, 10, 20, 30, 50, 100, -1, -0.0, 0.1, 0.30000000000000004, 1000, 9_007_199_254_740_992,
    9_007_199_254_740_993, 9_007_199_254_740_995, 9_007_199_254_740_996.0, 9_007_199_254_740_992.0,
    9_007_199_254_740_994.0, .int(.max), .int(.min), .int(.max - 1),
    9_223_372_036_854_775_808.0, -9_223_372_036_854_775_808.0, 1e300, -1e300, .double(.leastNonzeroMagnitude),
  ]

  mutating func number() -> JSONValue { pick(Self.numbers) }

  private mutating func numberRange() -> JSONValue {
    let pair: [JSONValue] = [number(), number()]
    // Rounded alike or not, the smaller of two doubles is never the larger number.
    let (a, b) = (pair[0].doubleValue ?? 0, pair[1].doubleValue ?? 0)
    if a == b { return [pair[0], pair[0]] }
    return a < b ? [pair[0], pair[1]] : [pair[1], pair[0]]
  }

  private mutating func textRange() -> JSONValue {
    let (a, b) = (text(), text())
    let isOrdered = !b.utf8.lexicographicallyPrecedes(a.utf8)
    return isOrdered ? [.string(a), .string(b)] : [.string(b), .string(a)]
  }

  mutating func scalar() -> JSONValue {
    switch below(10) {
    case 0: .bool(chance(50))
    case 1...4: number()
    default: .string(text())
    }
  }

  mutating func list(_ element: (inout RuleGenerator) -> JSONValue) -> JSONValue {
    .array((0..<(1 + below(4))).map { _ in element(&self) })
  }

  static let words = [
    "now", "today", "yesterday", "tomorrow", "this week", "last week", "next week", "this month", "last month",
    "next month", "this quarter", "last quarter", "next quarter", "this year", "last year", "next year", "1 day ago",
    "a month ago", "In 3 Weeks", "7 days ago", "30 minutes ago", "an hour ago", "in 1 year",
  ]

  mutating func date() -> String {
    switch below(4) {
    case 0: Timestamp(milliseconds: instant()).description
    case 1: String(Timestamp(milliseconds: instant()).description.prefix(10))
    default: pick(Self.words)
    }
  }

  private mutating func dateRange() -> JSONValue {
    let (a, b) = (instant(), instant())
    let (low, high) = (Timestamp(milliseconds: min(a, b)), Timestamp(milliseconds: max(a, b)))
    switch below(4) {
    case 0: return [.string(low.description), .string(high.description)]
    case 1: return [.string(String(low.description.prefix(10))), .string(String(high.description.prefix(10)))]
    case 2: return ["last month", "today"]
    default: return ["30 days ago", .string(pick(["now", "tomorrow", "next year", "in 2 days"]))]
    }
  }

  mutating func span() -> String {
    pick(["30 days", "1 day", "a week", "3 months", "1 year", "90 minutes", "an hour", "2 Weeks", "10 years"])
  }

  /// Moments at which calendars do something: ends of months, leap days, changes of the clock.
  static let nows = [
    "2026-03-31T10:30:00.000Z", "2024-02-29T12:00:00.000Z", "2026-03-29T01:00:00.000Z", "2026-10-25T00:30:00.000Z",
    "2026-11-01T06:30:00.000Z", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z", "2023-03-29T21:59:59.999Z",
  ]

  static let zones = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia", "Africa/Cairo",
  ]

  mutating func now() -> Timestamp { Timestamp(rfc3339: pick(Self.nows)) ?? Timestamp(milliseconds: 0) }
  mutating func zone() -> CalendarZone { CalendarZone(identifier: pick(Self.zones)) ?? .utc }

  /// On or beside a boundary of days near one of the moments.
  mutating func instant() -> Int64 {
    let day: Int64 = 86_400_000
    let now = now().milliseconds
    let days = Int64(pick([0, 0, 0, 1, -1, 7, -7, 28, 30, -30, 31, -31, 90, -90, 365, -365]))
    let base =
      chance(50) ? now : now / day * day + Int64(pick([0, -60, -120, 300, 240, -330, 180, -780, -840])) * 60_000
    return base + days * day + Int64(pick([0, 0, 0, 1, -1, 1000, 3_600_000, -3_600_000]))
  }

  // MARK: Leads

  mutating func lead(id: Int64) -> BSONDocument {
    var lead: BSONDocument = ["_id": .int64(id)]
    field(&lead, "name") { .string($0.text()) }
    field(&lead, "emails") { $0.array { .string($0.text().lowercased()) } }
    field(&lead, "phones") { $0.array { .string($0.text()) } }
    field(&lead, "tags") { $0.array { .string($0.text()) } }
    field(&lead, "total_spend") { $0.storedNumber() }
    field(&lead, "visits") { $0.storedNumber() }
    for name in ["last_order_at", "created_at", "updated_at"] {
      field(&lead, name) { .date(milliseconds: $0.instant()) }
    }
    field(&lead, "metadata") { .document($0.metadata()) }
    field(&lead, "opted_out") { generator in
      var optedOut = BSONDocument()
      generator.field(&optedOut, "sms") { .date(milliseconds: $0.instant()) }
      generator.field(&optedOut, "email") { .date(milliseconds: $0.instant()) }
      return .document(optedOut)
    }
    return lead
  }

  /// Mostly what belongs there; sometimes nothing, null, something empty or something else.
  private mutating func field(
    _ document: inout BSONDocument, _ key: String, _ make: (inout RuleGenerator) -> BSONValue
  ) {
    switch below(100) {
    case 0..<12: return
    case 12..<18: document.append(key, .null)
    case 18..<30: document.append(key, anything(depth: 2))
    default: document.append(key, make(&self))
    }
  }

  private mutating func metadata() -> BSONDocument {
    var metadata = BSONDocument()
    field(&metadata, "a") { $0.storedScalar() }
    field(&metadata, "b") { $0.storedScalar() }
    field(&metadata, "list") { generator in
      generator.chance(15) ? .array([["x": generator.storedScalar()]]) : generator.array { $0.storedScalar() }
    }
    field(&metadata, "object") { generator in
      var object = BSONDocument()
      generator.field(&object, "x") { $0.storedScalar() }
      return .document(object)
    }
    field(&metadata, "deep") { generator in
      .document(["er": generator.chance(20) ? generator.anything(depth: 1) : ["still": generator.storedScalar()]])
    }
    return metadata
  }

  private mutating func array(_ element: (inout RuleGenerator) -> BSONValue) -> BSONValue {
    .array((0..<pick([0, 1, 1, 2, 3])).map { _ in element(&self) })
  }

  mutating func storedNumber() -> BSONValue {
    if chance(5) { return .double(pick([.nan, .infinity, -.infinity])) }
    if chance(20) { return .int32(Int32(pick([0, 1, 2, 5, 10, 50, -1]))) }
    return BSONValue(json: number())
  }

  mutating func storedScalar() -> BSONValue {
    switch below(10) {
    case 0: .bool(chance(50))
    case 1...4: storedNumber()
    case 5: .string(chance(20) ? "a\0b" : text())
    default: .string(text())
    }
  }

  /// Any value of a lead document's types, arrays within arrays and nulls within them included.
  mutating func anything(depth: Int) -> BSONValue {
    switch below(depth > 0 ? 12 : 7) {
    case 0: .null
    case 1: .bool(chance(50))
    case 2, 3: storedNumber()
    case 4, 5: .string(text())
    case 6: .date(milliseconds: instant())
    case 7: .array([])
    case 8: .document([:])
    case 9: .document([pick(["x", "sms", "a", "still"]): anything(depth: depth - 1)])
    default: .array((0..<(1 + below(3))).map { _ in anything(depth: depth - 1) })
    }
  }

  // MARK: Orders

  mutating func order() -> BSONDocument {
    var order = BSONDocument()
    field(&order, "order_no") { .string($0.text()) }
    field(&order, "currency") { .string($0.pick(["USD", "EUR", "a"])) }
    field(&order, "items") { generator in
      generator.array { generator in
        var item = BSONDocument()
        generator.field(&item, "sku") { .string($0.text()) }
        generator.field(&item, "quantity") { $0.storedNumber() }
        generator.field(&item, "price") { $0.storedNumber() }
        return .document(item)
      }
    }
    // Sums of these are exact in any order.
    order.append("amount", Double(pick([0, 0, 1, 2, 5, 10, 20, 30, 50])) / 2)
    order.appendDate("ordered_at", milliseconds: instant())
    return order
  }

  mutating func message() -> BSONDocument {
    var message: BSONDocument = [
      "campaign_id": .objectID(Self.ids[below(2)]),
      "status": .string(pick(["PENDING", "SENT", "DELIVERED", "READ", "FAILED", "SKIPPED"])),
    ]
    for time in ["queued_at", "skipped_at", "cancelled_at", "sent_at", "delivered_at", "read_at", "failed_at"]
    where chance(60) {
      message.appendDate(time, milliseconds: instant())
    }
    return message
  }

  // MARK: Chance

  mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }
  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

/// SplitMix64.
struct RuleRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
