import BSON
import CRMCore
import JSON

/// What one core does with a rule in memory: decide, translate, decode.
struct RuleSpeed {
  let rule: Rule
  let json: JSONValue

  struct Result: Sendable {
    var leads = 0
    var matching = 0
    /// How often each condition is tested, and how often it holds, as a share of all leads.
    var conditions: [(text: String, tested: Double, holds: Double)] = []
    /// Leads a second.
    var decoded = 0.0
    var fromBSON = 0.0
    var decoding = 0.0
    /// Microseconds.
    var translating = 0.0
    var ruleDecoding = 0.0
    var filterBytes = 0
  }

  private static let rounds = 15

  func run(leads count: Int) throws -> Result {
    var generator = VariedLeads(seed: 4)
    let documents = (0..<count).map { generator.next($0).bson() }
    let decoded = DecodedLeads(documents)
    let evaluator = try rule.compiled(now: VariedLeads.now).evaluator()
    var result = Result(leads: count)
    result.conditions = try conditions(documents)

    var matching = 0
    func perSecond(_ body: () -> Void) -> Double {
      Double(count) / Samples.processorTime(rounds: Self.rounds, each: body).median
    }
    result.decoded = perSecond { matching = evaluator.count(in: decoded) }
    result.matching = matching
    result.fromBSON = perSecond {
      matching = 0
      for lead in documents where evaluator.matches(lead) { matching += 1 }
    }
    guard matching == result.matching else { throw BenchError("decoded leads and documents were judged differently") }
    result.decoding = perSecond { keep(DecodedLeads(documents)) }

    let repetitions = 5_000
    func microseconds(_ body: () throws -> Void) -> Double {
      Samples.processorTime(rounds: Self.rounds) {
        for _ in 0..<repetitions { try? body() }
      }.median / Double(repetitions) * 1e6
    }
    result.filterBytes = try rule.filter(now: VariedLeads.now).bytes.count
    result.translating = microseconds { keep(try rule.filter(now: VariedLeads.now)) }
    result.ruleDecoding = microseconds { keep(try Rule.decode(json)) }
    return result
  }

  /// Follows the rule's own order: of an AND the next condition is tested when the ones before hold, of an OR when they
  /// do not.
  private func conditions(_ leads: [BSONDocument]) throws -> [(text: String, tested: Double, holds: Double)] {
    var rows: [(text: String, tested: Double, holds: Double)] = []
    func walk(_ json: JSONValue, _ indices: [Int]) throws -> (holding: [Int], failing: [Int]) {
      guard let op = json["op"]?.stringValue, let children = json["children"]?.arrayValue else {
        let rule = try Rule.decode(json)
        let evaluator = try rule.compiled(now: VariedLeads.now).evaluator()
        let holding = indices.filter { evaluator.matches(leads[$0]) }
        rows.append(
          (rule.explanation(), Double(indices.count) / Double(leads.count), Double(holding.count) / Double(leads.count))
        )
        let held = Set(holding)
        return (holding, indices.filter { !held.contains($0) })
      }
      var rest = indices
      var decided: [Int] = []
      for child in children {
        let (holding, failing) = try walk(child, rest)
        rest = op == "AND" ? holding : failing
        decided += op == "AND" ? failing : holding
      }
      return op == "AND" ? (rest, decided) : (decided, rest)
    }
    _ = try walk(json, Array(leads.indices))
    return rows
  }

  /// Keeps the optimiser from leaving out work whose result nobody reads.
  @inline(never)
  private func keep<Value>(_ value: Value) {}
}
