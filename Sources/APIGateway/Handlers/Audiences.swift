import BSON
import CRMCore
import CRMStore
import CivilTime
import JSON
import Mongo
import Runtime

/// Understands rules: from the JSON of a request or a stored segment to what can be put to the database.
struct Audiences: Sendable {
  let store: Store
  let clock: any WallClock
  /// How long a question about a rule may take, in milliseconds.
  let timeoutMS: Int

  static let unknownZone = FieldError(
    field: "timezone", code: "invalid_timezone",
    message: "must be a time zone of the tz database, such as Europe/Berlin")

  /// Reads a rule and its zone.
  ///
  /// - Throws: `ValidationError` with everything that is wrong with the rule and its zone.
  func understand(_ json: JSONValue, timezone: String?) throws(ValidationError) -> ZonedRule {
    let zone = CalendarZone(identifier: timezone ?? "UTC")
    var errors: [FieldError] = []
    do throws(RuleError) {
      let rule = try Rule.decode(json)
      if let zone { return ZonedRule(rule: rule, zone: zone) }
    } catch {
      errors = error.fieldErrors
    }
    if zone == nil { errors.append(Audiences.unknownZone) }
    throw ValidationError(errors) ?? ValidationError(field: "rule_ast", code: "invalid", message: "is not understood")
  }

  /// Checks that a rule has a meaning now: the segments it names exist and do not name each other in a circle.
  ///
  /// - Parameter id: the segment that the rule is for.
  func check(_ rule: ZonedRule, asSegment id: ObjectID) async throws {
    do {
      // As if somebody asked for the segment itself, so that a rule that comes back to it is found out.
      _ = try await store.compile(rule, now: clock.now(), assuming: [id: rule])
    } catch let error as RuleError {
      throw ValidationError(error.fieldErrors) ?? error as any Error
    }
  }

  /// The rule's meaning at an instant.
  func meaning(_ rule: ZonedRule, now: Timestamp) async throws -> CompiledRule {
    do {
      return try await store.compile(rule, now: now)
    } catch let error as RuleError {
      throw ValidationError(error.fieldErrors) ?? error as any Error
    }
  }

  /// The meaning of a stored segment's rule, as of now.
  ///
  /// - Throws: `ValidationError` on `segment_id` when there is no such segment.
  func meaning(ofSegment id: ObjectID) async throws -> CompiledRule {
    do {
      let segment = try await store.segment(id)
      return try await meaning(try understand(segment.rule, timezone: segment.timezone), now: clock.now())
    } catch StoreError.notFound {
      throw ValidationError(.unknownSegment)
    }
  }

  /// The first leads of a stored segment, at most so many.
  ///
  /// - Throws: as `meaning(ofSegment:)` and `inTime`.
  func firstLeads(_ limit: Int, ofSegment id: ObjectID) async throws -> [Lead] {
    let rule = try await meaning(ofSegment: id)
    return try await inTime { try await store.sample(rule, limit: limit, timeoutMS: timeoutMS) }
  }

  /// Narrows a query of leads to a stored segment; nil leaves it as it is.
  ///
  /// - Throws: as `meaning(ofSegment:)`.
  func narrowed(_ query: LeadQuery, toSegment id: ObjectID?) async throws -> LeadQuery {
    guard let id else { return query }
    var query = query
    query.timeoutMS = timeoutMS
    query.segment = try await meaning(ofSegment: id)
    return query
  }

  /// What a question about a rule's leads finds.
  ///
  /// - Throws: `Problem` with advice when the database needs longer than a rule may take; `ValidationError` for a rule
  ///   that cannot be put to the database.
  func inTime<Answer>(_ ask: () async throws -> Answer) async throws -> Answer {
    do {
      return try await ask()
    } catch let error as RuleError {
      throw ValidationError(error.fieldErrors) ?? error as any Error
    } catch let error as MongoError where error.kind == .timeout {
      throw Problem(
        .ruleTooSlow,
        "The database did not answer this rule within \(timeoutMS) ms (PREVIEW_TIMEOUT_MS). Narrow it with "
          + "a condition that an index serves, such as total_spend, tags or last_order_at, shorten a \"within\", or ask "
          + "again when the database is less busy.", retryAfter: 10)
    }
  }
}
