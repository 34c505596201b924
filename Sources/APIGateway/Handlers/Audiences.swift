import BSON
import CRMCore
import CRMStore
import CivilTime
import JSON
import Runtime

/// Understands rules: from the JSON of a request or a stored segment to a filter over leads.
struct Audiences: Sendable {
  let store: Store
  let clock: any WallClock
  /// How long each question about orders or campaigns may take, in milliseconds.
  let timeoutMS: Int

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
    if zone == nil {
      errors.append(
        FieldError(
          field: "timezone", code: "invalid_timezone",
          message: "must be a time zone of the tz database, such as Europe/Berlin"))
    }
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

  /// The filter that finds the rule's leads at an instant.
  func filter(_ rule: ZonedRule, now: Timestamp) async throws -> BSONDocument {
    do {
      return try await store.filter(of: rule, now: now, timeoutMS: timeoutMS)
    } catch let error as RuleError {
      throw ValidationError(error.fieldErrors) ?? error as any Error
    }
  }

  /// The filter of a stored segment, as of now.
  ///
  /// - Throws: `ValidationError` on `segment_id` when there is no such segment.
  func filter(ofSegment id: ObjectID) async throws -> BSONDocument {
    do {
      let segment = try await store.segment(id)
      return try await filter(try understand(segment.rule, timezone: segment.timezone), now: clock.now())
    } catch StoreError.notFound {
      throw ValidationError(field: "segment_id", code: "unknown_segment", message: "there is no such segment")
    }
  }
}
