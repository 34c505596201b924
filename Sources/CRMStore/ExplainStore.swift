import BSON
import CRMCore
import CivilTime
import Mongo

/// What a rule asks of the database, what it finds, and what finding it takes.
public struct RuleReport: Sendable {
  /// A condition that the lead's own document does not answer.
  public struct Question: Sendable {
    /// The condition.
    public let path: String
    public let collection: String
    /// Finds the leads for whom the condition holds, or those for whom it does not.
    public let pipeline: [BSONDocument]
    public let plan: QueryPlan
  }

  /// A child of the outermost group, or the whole rule when that is a condition.
  public struct Part: Sendable {
    public let path: String
    public let rule: Rule
    /// Leads that fulfil it alone; nil when counting them took too long.
    public let count: Int?
    /// Leads that fulfil the group as far as this child; nil when counting them took too long.
    public let runningCount: Int?
  }

  public let count: Int
  /// The filter over leads; what a question answers stands in it as a text instead of a list of ids.
  public let filter: BSONDocument
  public let questions: [Question]
  /// How the leads are counted; when questions are asked about some leads at a time, how these leads are found.
  public let plan: QueryPlan
  /// Stretches of leads for which the questions were asked one after another; 1 when once was enough.
  public let stretches: Int
  public let parts: [Part]
  /// Children that were not counted one by one, because the group has too many.
  public let partsOmitted: Int
  /// Keys of indexes that would spare most of the work, all of which are needed; empty when the work is in proportion
  /// or no index can help.
  public let suggestedIndexes: [BSONDocument]
}

extension RuleReport {
  /// Children counted one by one.
  static let mostParts = 50
  /// Keys or documents examined for each lead found, above which an index is worth a thought.
  private static let wastefulRatio: Int64 = 10
  /// Below so many nobody notices.
  private static let negligible: Int64 = 10_000

  /// Whether the server examined far more than it found.
  static func isWasteful(_ plan: QueryPlan) -> Bool {
    let examined = max(plan.keysExamined, plan.documentsExamined)
    return examined > negligible && examined > wastefulRatio * max(plan.found, 1)
  }
}

extension Store {
  /// Counts a rule's leads and tells how: the filter, the server's plan, and what each part of the rule contributes.
  ///
  /// - Parameter timeoutMS: for the rule as a whole, and once more for its parts together; a part that is not counted
  ///   by then has no count.
  /// - Throws: `RuleError` as `compile` and `preview`; `MongoError` of kind `.timeout`.
  public func explain(_ rule: ZonedRule, now: Timestamp, timeoutMS: Int) async throws -> RuleReport {
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    let compiled = try await compile(rule, now: now)
    let (count, plan, questions, slices) = try await measured(compiled, allowance)
    let (parts, omitted) = try await parts(of: rule, count: count, now: now, timeoutMS: timeoutMS)
    return RuleReport(
      count: count, filter: try compiled.filterForReading(), questions: questions, plan: plan, stretches: slices,
      parts: parts,
      partsOmitted: omitted, suggestedIndexes: try await suggestedIndexes(for: compiled, plan))
  }

  private func measured(
    _ rule: CompiledRule, _ allowance: TimeAllowance
  ) async throws -> (count: Int, QueryPlan, [RuleReport.Question], stretches: Int) {
    var slices = AudienceSlices(rule, sizes: audienceSizes)
    var (count, stretches) = (0, 0)
    var gist: (plan: QueryPlan, questions: [RuleReport.Question])?
    while true {
      let isFirst = gist == nil
      let found = try await ask(&slices, allowance) { slice, connection in
        (
          try Store.count(slice, connection, allowance),
          isFirst ? try Store.gist(of: rule, in: slice, connection, allowance) : nil
        )
      }
      guard let found else { break }
      count += found.0
      stretches += 1
      if let first = found.1 { gist = first }
    }
    return (count, gist?.plan ?? QueryPlan(explanation: [:]), gist?.questions ?? [], stretches)
  }

  private static func gist(
    of rule: CompiledRule, in slice: AudienceSlice, _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> (plan: QueryPlan, questions: [RuleReport.Question]) {
    // A stretch is the ids of its leads; how they were found is what there is to tell.
    let filter = slice.candidates == nil ? slice.filter : rule.necessaryFilter ?? [:]
    let plan = try connection.planOfCount(Collections.leads, filter, timeoutMS: try allowance.remaining())
    let questions = try rule.behaviours.map { query in
      let asked = slice.candidates.map { query.leadsPipeline(among: $0) } ?? query.leadsPipeline
      return RuleReport.Question(
        path: query.path, collection: query.collection, pipeline: query.leadsPipeline,
        plan: try connection.planOfAggregate(query.collection, asked, timeoutMS: try allowance.remaining()))
    }
    return (plan, questions)
  }

  private func parts(
    of rule: ZonedRule, count: Int, now: Timestamp, timeoutMS: Int
  ) async throws -> ([RuleReport.Part], omitted: Int) {
    let children: [Rule]
    let group: ([Rule]) -> Rule
    switch rule.rule {
    case .and(let rules): (children, group) = (rules, Rule.and)
    case .or(let rules): (children, group) = (rules, Rule.or)
    default:
      return ([RuleReport.Part(path: "rule_ast", rule: rule.rule, count: count, runningCount: count)], 0)
    }
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    var parts: [RuleReport.Part] = []
    for (index, child) in children.prefix(RuleReport.mostParts).enumerated() {
      let alone =
        children.count == 1
        ? count : try await self.count(ZonedRule(rule: child, zone: rule.zone), now: now, allowance)
      let running: Int? =
        switch index {
        case children.count - 1: count
        case 0: alone
        default:
          try await self.count(
            ZonedRule(rule: group(Array(children[...index])), zone: rule.zone), now: now, allowance)
        }
      parts.append(
        RuleReport.Part(path: "rule_ast.children[\(index)]", rule: child, count: alone, runningCount: running))
    }
    return (parts, children.count - parts.count)
  }

  /// Nil when there is not enough time.
  private func count(_ rule: ZonedRule, now: Timestamp, _ allowance: TimeAllowance) async throws -> Int? {
    do {
      return try await countLeads(try await compile(rule, now: now), allowance)
    } catch let error as MongoError where error.kind == .timeout {
      return nil
    }
  }

  private func suggestedIndexes(
    for rule: CompiledRule, _ plan: QueryPlan
  ) async throws -> [BSONDocument] {
    guard RuleReport.isWasteful(plan) else { return [] }
    let advised = rule.advisedIndexes
    guard !advised.isEmpty else { return [] }
    let existing = try await mongo.withConnection { try $0.indexKeys(Collections.leads) }
    return advised.filter { index in
      let keys = index.keys
      return !existing.contains { $0.keys.prefix(keys.count).elementsEqual(keys) }
    }
  }
}
