import BSON
import CRMCore
import CRMStore
import JSON
import Mongo
import Runtime

/// What the database takes to count a rule's leads, by the product's way and by a filter that a person wrote for the same
/// question, in turn.
struct RuleCounts {
  let store: Store
  let console: Console

  struct Question: Sendable {
    let name: String
    let rule: JSONValue
    /// Filters over leads that say the same, as someone who knows MongoDB writes them.
    let byHand: [BSONDocument]
    let rounds: Int
  }

  struct Result: Sendable {
    let name: String
    let explanation: String
    let count: Int
    let plan: String
    /// Seconds.
    let ours: Samples
    /// Of the fastest filter by hand.
    let byHand: Samples
    /// Ours to theirs, in each round.
    var ratio: Double { ours.median / byHand.median }
  }

  /// Longer than any of these counts.
  private static let timeoutMS = 120_000

  func insert(leads count: Int) async throws {
    try await store.ensureSchema()
    let batch = 10_000
    var generator = VariedLeads(seed: 9)
    for start in stride(from: 0, to: count, by: batch) {
      try Task.checkCancellation()
      let documents = (start..<min(start + batch, count)).map { generator.next($0).bson() }
      _ = try await store.mongo.withConnection { try $0.insertMany(Collections.leads, documents) }
      if (start + batch) % 200_000 == 0 { console.progress("  \(grouped(start + batch)) leads stored") }
    }
  }

  func run(_ question: Question) async throws -> Result {
    let rule = ZonedRule(rule: try Rule.decode(question.rule), zone: .utc)
    var ours = Samples()
    var theirs = question.byHand.map { _ in Samples() }
    var counts: Set<Int> = []
    // The first round warms the caches and counts for nothing.
    for round in 0...question.rounds {
      try Task.checkCancellation()
      let (count, seconds) = try await timed { try await store.countOfPreview(rule, timeoutMS: Self.timeoutMS) }
      counts.insert(count)
      if round > 0 { ours.add(seconds) }
      for (index, filter) in question.byHand.enumerated() {
        let (count, seconds) = try await timed {
          try await store.mongo.withConnection { try $0.count(Collections.leads, filter, maxTimeMS: Self.timeoutMS) }
        }
        counts.insert(count)
        if round > 0 { theirs[index].add(seconds) }
      }
    }
    guard counts.count == 1, let count = counts.first, let best = theirs.min(by: { $0.median < $1.median }) else {
      throw BenchError("\(question.name): the filters count differently: \(counts.sorted())")
    }
    return Result(
      name: question.name, explanation: rule.rule.explanation(), count: count, plan: try await plan(of: rule),
      ours: ours, byHand: best)
  }

  private func timed(_ body: () async throws -> Int) async throws -> (Int, Double) {
    let began = ContinuousClock.now
    let count = try await body()
    return (count, began.duration(to: .now) / .seconds(1))
  }

  /// The stages of the winning plan, innermost last, with the indexes they use.
  private func plan(of rule: ZonedRule) async throws -> String {
    let filter = try await store.compile(rule, now: VariedLeads.now).filter()
    let reply = try await store.mongo.withConnection {
      try $0.command([
        "explain": ["find": .string(Collections.leads), "filter": .document(filter)], "verbosity": "queryPlanner",
      ])
    }
    func describe(_ stage: BSONValue?) -> String {
      guard let stage, let name = stage["stage"]?.stringValue else { return "" }
      let index = stage["indexName"]?.stringValue.map { "(\($0))" } ?? ""
      let inputs = (stage["inputStages"]?.arrayValue ?? [stage["inputStage"]].compactMap { $0 }).map { describe($0) }
      return ([name + index] + (inputs.count > 1 ? ["[" + inputs.joined(separator: ", ") + "]"] : inputs))
        .joined(separator: " ← ")
    }
    let winning = reply["queryPlanner"]?["winningPlan"]
    return describe(winning?["queryPlan"] ?? winning)
  }
}

extension Store {
  /// The preview's count, from the rule on.
  func countOfPreview(_ rule: ZonedRule, timeoutMS: Int) async throws -> Int {
    try await preview(try await compile(rule, now: VariedLeads.now), sample: 0, timeoutMS: timeoutMS).count
  }
}
