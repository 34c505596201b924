import BSON
import CRMCore
import CivilTime
import Foundation
import JSON
import Testing

/// Whatever is sent as a rule, a query or a lead: no crash, no time beyond a bound, and one meaning.
///
/// `RULES_JSON_SECONDS` sets how long it goes on, `RULES_SEED` repeats a run.
@Suite struct RulesJSONFuzz {
  private static func setting(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
  }

  private static let seed = setting("RULES_SEED") ?? UInt64.random(in: 0...UInt64.max)
  private static let seconds = Double(setting("RULES_JSON_SECONDS") ?? 5)

  /// CPU time of one case in a debug build; a typical one takes less than a thousandth of it.
  private static let limit = 2.0

  @Test func arbitraryJSONIsRefusedOrMeansOneThing() {
    tell("rules-json: RULES_SEED=\(Self.seed), for \(Self.seconds) s")
    var fuzz = Fuzz(seed: Self.seed)
    let deadline = ContinuousClock.now + .seconds(Self.seconds)
    repeat {
      let began = processorTime()
      fuzz.next()
      let took = processorTime() - began
      fuzz.slowest = max(fuzz.slowest, took)
      if took > Self.limit { Issue.record("RULES_SEED=\(Self.seed) case \(fuzz.cases) took \(took) s: \(fuzz.last)") }
    } while ContinuousClock.now < deadline
    tell("rules-json: RULES_SEED=\(Self.seed), \(fuzz.summary)")
    #expect(fuzz.rules > 0 && fuzz.refused > 0 && fuzz.converted > 0 && fuzz.matches > 0)
  }
}

private func tell(_ line: String) {
  try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
}

private struct Fuzz {
  private let seed: UInt64
  private var generator: RuleGenerator
  private(set) var cases = 0
  private(set) var rules = 0
  private(set) var refused = 0
  private(set) var converted = 0
  private(set) var evaluations = 0
  private(set) var matches = 0
  var slowest = 0.0
  /// The input of the last case, clipped.
  private(set) var last = ""

  init(seed: UInt64) {
    self.seed = seed
    generator = RuleGenerator(seed: seed)
  }

  var summary: String {
    "\(cases) cases: \(rules) rules, \(refused) refused, \(converted) converted; \(evaluations) evaluations, \(matches) of them true; "
      + "the slowest case took \((slowest * 1e6).rounded() / 1e3) ms of CPU time"
  }

  mutating func next() {
    if cases % 50 == 0 { generator.renewVocabulary() }
    cases += 1
    guard let json = input() else { return }
    last = String(decoding: json.encoded().prefix(2_000), as: UTF8.self)
    do {
      let rule = try Rule.decode(json)
      rules += 1
      check(rule)
    } catch {
      refused += 1
      expect(!error.errors.isEmpty && error.errors.count <= RuleLimits.problems, "problems are listed and bounded")
      expect(error.errors.allSatisfy { $0.path.hasPrefix("rule_ast") && !$0.message.isEmpty }, "problems have a place")
    }
    if let rule = try? RuleConverter.convert(json).rule {
      converted += 1
      expect((try? Rule.decode(rule.json())) == rule, "a converted rule is a rule")
    }
  }

  private func expect(_ condition: Bool, _ what: String) {
    if !condition { Issue.record("RULES_SEED=\(seed) case \(cases): not true that \(what): \(last)") }
  }

  private mutating func check(_ rule: Rule) {
    expect((try? Rule.decode(rule.json())) == rule, "decode undoes encode")
    expect(!rule.explanation().isEmpty, "it can be explained")
    let (now, zone) = (generator.now(), generator.zone())
    guard let compiled = try? rule.compiled(now: now, zone: zone) else { return }
    let lead = lead()
    let order = generator.order()
    let decision = compiled.decide(lead) { _ in [order, lead] }
    expect(!decision.decidedBy.isEmpty, "something decides")
    guard let evaluator = try? compiled.evaluator(), let not = try? Rule.not(rule).compiled(now: now, zone: zone) else {
      return
    }
    _ = try? compiled.filter()
    let result = evaluator.matches(lead)
    evaluations += 1
    if result { matches += 1 }
    expect(decision.matches == result, "a decision is the evaluation's")
    let leads = DecodedLeads([order, lead])
    expect(evaluator.indices(in: leads).contains(1) == result, "a decoded lead is the same lead")
    expect(evaluator.count(in: leads) == evaluator.indices(in: leads).count, "those that match are counted")
    expect((try? not.evaluator().matches(lead)) == !result, "NOT is the complement")
  }

  // MARK: Inputs

  private mutating func input() -> JSONValue? {
    switch generator.below(8) {
    case 0: return generator.junk(depth: 5)
    case 1: return query(depth: 3)
    case 2: return generator.damaged(query(depth: 3))
    case 3, 4: return generator.rule(depth: 4, behaviours: true)
    case 5, 6: return generator.damaged(generator.rule(depth: 4, behaviours: true))
    default:
      // As text, with bytes changed: mostly no JSON any more, sometimes JSON of another meaning.
      let text = mutated(generator.rule(depth: 3, behaviours: true).encoded(), times: 1 + generator.below(4))
      return try? JSONValue.parse(text)
    }
  }

  /// What a query editor could have written.
  private mutating func query(depth: Int) -> JSONValue {
    if depth > 0, generator.chance(50) {
      let children = (0..<(1 + generator.below(3))).map { _ in query(depth: depth - 1) }
      var group: JSONObject = ["rules": .array(children)]
      if generator.chance(70) {
        group["combinator"] = .string(generator.pick(["and", "or", "AND", "xor"]))
      } else {
        group["rules"] = .array(Array(children.map { [$0] }.joined(separator: ["and"])))
      }
      if generator.chance(30) { group["not"] = .bool(generator.chance(50)) }
      return .object(group)
    }
    let condition = generator.condition()
    var leaf: JSONObject = ["id": "x", "field": condition["field"] ?? .null, "valueSource": "value"]
    let op = generator.pick(["=", "!=", "<", "contains", "beginsWith", "in", "notIn", "between", "null", "notNull"])
    leaf["operator"] = .string(op)
    leaf["value"] = generator.chance(50) ? condition["value"] : .string("\(generator.text()), \(generator.text())")
    return .object(leaf)
  }

  private mutating func lead() -> BSONDocument {
    switch generator.below(4) {
    case 0:
      guard case .object(let object) = generator.junk(depth: 6) else { return [:] }
      return BSONDocument(json: object)
    case 1: return BSONDocument(unchecked: mutated(generator.lead(id: 1).bytes, times: 1 + generator.below(6)))
    default: return generator.lead(id: 1)
    }
  }

  private mutating func mutated(_ bytes: [UInt8], times: Int) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<times where !bytes.isEmpty {
      let at = generator.below(bytes.count)
      switch generator.below(4) {
      case 0: bytes[at] ^= 1 << UInt8(generator.below(8))
      case 1: bytes[at] = UInt8(truncatingIfNeeded: generator.below(256))
      case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + generator.below(8)))
      default:
        let piece = bytes[at..<min(bytes.count, at + 1 + generator.below(16))]
        bytes.insert(contentsOf: Array(piece), at: generator.below(bytes.count))
      }
    }
    return bytes
  }
}
