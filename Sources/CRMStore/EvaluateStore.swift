import BSON
import CRMCore
import CivilTime
import Mongo

/// Whom a rule is put to.
public enum EvaluatedLead: Sendable {
  /// A stored lead, with its orders and messages.
  case stored(ObjectID)
  /// A lead that is not stored: nobody has ordered under its name or written to it.
  case described(BSONDocument)
}

extension Store {
  /// Whether one lead fulfils a rule, with the conditions that decided.
  ///
  /// - Parameter timeoutMS: for everything together.
  /// - Throws: `StoreError.notFound` for a lead that is not stored; `RuleError` as `compile`; `MongoError` of kind
  ///   `.timeout`.
  public func evaluate(
    _ rule: ZonedRule, lead: EvaluatedLead, now: Timestamp, timeoutMS: Int
  ) async throws -> RuleDecision {
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    let compiled = try await compile(rule, now: now, isForOneLead: true)
    switch lead {
    case .described(let document):
      return compiled.decide(document, answers: compiled.behaviours.map { $0.answer(found: nil) })
    case .stored(let id):
      return try await mongo.withConnection { connection in
        let options = FindOptions(maxTimeMS: try allowance.remaining())
        guard let document = try connection.findOne(Collections.leads, ["_id": .objectID(id)], options) else {
          throw StoreError.notFound(what: "lead", id: id.hex)
        }
        let answers = try compiled.behaviours.map { query in
          let options = AggregateOptions(maxTimeMS: try allowance.remaining())
          let found = try connection.aggregateAll(
            query.collection, query.pipeline(ofLead: id), options: options, limit: 1)
          return query.answer(found: found.first)
        }
        return compiled.decide(document, answers: answers)
      }
    }
  }
}
