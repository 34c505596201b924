import BSON
import CRMCore
import CivilTime
import JSON
import Testing

/// What holds for every rule, on random ones. The seeds are fixed: a failure repeats.
@Suite struct RulesPropertyTests {
  @Test(arguments: [1, 2] as [UInt64])
  func aRuleComesBackFromItsJSON(seed: UInt64) throws {
    var generator = RuleGenerator(seed: seed)
    for _ in 0..<400 {
      let rule = try Rule.decode(generator.rule(behaviours: true))
      let json = rule.json()
      #expect(try Rule.decode(json) == rule)
      #expect(try Rule.decode(try JSONValue.parse(json.encoded())) == rule, "and from its text")
      #expect(try Rule.decode(JSONValue(bson: BSONValue(json: json))) == rule, "and from the database")
    }
  }

  @Test(arguments: [1, 2] as [UInt64])
  func theCanonicalFormIsOneAndChoosesTheSameLeads(seed: UInt64) throws {
    var generator = RuleGenerator(seed: seed)
    let leads = (0..<20).map { generator.lead(id: $0) }
    for _ in 0..<200 {
      let rule = try Rule.decode(generator.rule())
      let canonical = rule.canonical()
      #expect(canonical.canonical() == canonical)
      guard let evaluator = try? rule.compiled(now: ruleNow).evaluator() else { continue }
      let other = try canonical.compiled(now: ruleNow).evaluator()
      #expect(leads.allSatisfy { evaluator.matches($0) == other.matches($0) }, "\(rule.json().encodedString())")
    }
  }

  @Test func differentRulesReadDifferently() throws {
    var generator = RuleGenerator(seed: 5)
    var seen: [[UInt8]: [UInt8]] = [:]
    for _ in 0..<3_000 {
      if generator.chance(5) { generator.renewVocabulary() }
      // Few choices in small rules, so that near misses are many.
      let json = generator.rule(depth: generator.below(3), behaviours: true)
      for json in [json] + Self.neighbours(of: json) {
        guard let rule = try? Rule.decode(json).canonical() else { continue }
        let text = Array(rule.explanation().utf8)
        let identity = rule.json().encoded()
        if let other = seen.updateValue(identity, forKey: text), other != identity {
          Issue.record(
            "\(String(decoding: other, as: UTF8.self)) and \(String(decoding: identity, as: UTF8.self)): \(rule.explanation())"
          )
        }
      }
    }
    #expect(seen.count > 5_000)
  }

  /// The rule with one operator or group changed.
  private static func neighbours(of json: JSONValue) -> [JSONValue] {
    guard var object = json.objectValue else { return [] }
    if object["children"] != nil {
      object["op"] = json["op"] == "AND" ? "OR" : "AND"
      return [.object(object), group("NOT", json)]
    }
    return [
      "=", "!=", "IN", "NOT_IN", ">", ">=", "<", "<=", "HAS_ALL", "CONTAINS", "STARTS_WITH", "EXISTS", "IS_EMPTY",
    ].map {
      object["operator"] = .string($0)
      return .object(object)
    }
  }

  @Test(arguments: [1, 2] as [UInt64])
  func aDecisionAgreesWithTheEvaluationAndItsConditionsWithThemselves(seed: UInt64) throws {
    var generator = RuleGenerator(seed: seed)
    for _ in 0..<300 {
      let rule = try Rule.decode(generator.rule())
      let lead = generator.lead(id: 1)
      guard let evaluator = try? rule.compiled(now: ruleNow).evaluator() else { continue }
      let decision = evaluator.decide(lead)
      #expect(decision.matches == evaluator.matches(lead))
      #expect(!decision.decidedBy.isEmpty)
      #expect(try Rule.decode(rule.json()).evaluateExplaining(lead: lead, now: ruleNow) == decision)
      for decider in decision.decidedBy {
        let alone = condition(decider.field, decider.operator, decider.value)
        #expect(try matches(alone, lead) == decider.result)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func whateverIsSentIsARuleOrHasProblems(seed: UInt64) throws {
    var generator = RuleGenerator(seed: seed)
    var refused = 0
    for _ in 0..<2_000 {
      let json = generator.damaged(generator.rule(depth: 3, behaviours: true))
      do {
        let rule = try Rule.decode(json)
        #expect(try Rule.decode(rule.json()) == rule)
        if let compiled = try? rule.compiled(now: generator.now(), zone: generator.zone()) {
          _ = compiled.decide(generator.lead(id: 1)) { _ in [generator.order()] }
        }
      } catch {
        refused += 1
        #expect(!error.errors.isEmpty)
        #expect(error.errors.allSatisfy { $0.path.hasPrefix("rule_ast") && !$0.message.isEmpty })
      }
      if let converted = try? RuleConverter.convert(json) {
        #expect(try Rule.decode(converted.rule.json()) == converted.rule)
      }
    }
    #expect(refused > 500)
  }
}

extension RuleGenerator {
  /// The value with some parts replaced by anything.
  mutating func damaged(_ json: JSONValue) -> JSONValue {
    if chance(6) { return junk(depth: 3) }
    switch json {
    case .array(let elements):
      var changed = elements.map { damaged($0) }
      if chance(5) { changed.append(junk(depth: 2)) }
      return .array(changed)
    case .object(let object):
      var entries = object.entries.filter { _ in !chance(2) }.map { (key: $0.key, value: damaged($0.value)) }
      if chance(5) { entries.append((key: pick(Self.keys), value: junk(depth: 2))) }
      return .object(JSONObject(entries))
    default: return json
    }
  }

  private static let keys = [
    "op", "children", "type", "field", "operator", "value", "where", "rules", "combinator", "not", "$where", "\0", "",
    "name", "tags", "visits", "metadata", "a", "list", "x",
  ]

  mutating func junk(depth: Int) -> JSONValue {
    switch below(depth > 0 ? 10 : 7) {
    case 0: nil
    case 1: .bool(chance(50))
    case 2: number()
    case 3: .double(pick([.nan, .infinity, -.infinity]))
    case 4: .string(text())
    case 5:
      .string(pick(["AND", "NOT", "condition", "orders", "=", "IN", "BETWEEN", "tags", "metadata.x", "a\0b", "~"]))
    case 6: .string(date())
    case 7, 8: .array((0..<below(4)).map { _ in junk(depth: depth - 1) })
    default: .object(JSONObject((0..<below(4)).map { _ in (key: pick(Self.keys), value: junk(depth: depth - 1)) }))
    }
  }
}
