import BSON
import CRMCore
import CRMStore
import CivilTime
import Foundation
import JSON
import Runtime

/// Understands rules: from the JSON of a request or a stored segment to a filter over leads.
struct Audiences: Sendable {
  let store: Store
  let clock: any WallClock

  /// A rule that has been understood.
  struct Understood: Sendable {
    let rule: Rule
    /// The rule as it is stored and shown: always the same text for the same rule.
    let canonical: JSONValue
    let zone: TimeZone
    let zoneName: String
  }

  /// - Parameter path: where the rule stands in the request, for its errors.
  /// - Throws: `ValidationError` with everything that is wrong with the rule and its zone.
  func understand(_ json: JSONValue, timezone: String?, path: String = "rule_ast") throws(ValidationError) -> Understood
  {
    var errors: [FieldError] = []
    let name = timezone ?? "UTC"
    let zone = TimeZone(identifier: name)
    if zone == nil {
      errors.append(
        FieldError(
          field: "timezone", code: "unknown_timezone",
          message: "must be a zone of the IANA database, such as Europe/Oslo")
      )
    }
    do throws(RuleError) {
      let rule = try Rule.decode(json, path: path)
      if let zone, errors.isEmpty {
        return Understood(rule: rule, canonical: rule.json(), zone: zone, zoneName: name)
      }
    } catch {
      errors = error.fieldErrors + errors
    }
    throw ValidationError(errors) ?? ValidationError(field: path, code: "invalid", message: "cannot be understood")
  }

  /// The filter that finds the rule's leads at an instant.
  func filter(_ understood: Understood, now: Timestamp) throws(ValidationError) -> BSONDocument {
    do throws(RuleError) {
      return try understood.rule.filter(now: now, zone: understood.zone)
    } catch {
      throw ValidationError(error.fieldErrors)
        ?? ValidationError(field: "rule_ast", code: "invalid", message: "\(error)")
    }
  }

  /// The filter of a stored segment, as of now.
  ///
  /// - Throws: `ValidationError` on `segment_id` when there is no such segment.
  func filter(ofSegment id: ObjectID) async throws -> BSONDocument {
    do {
      let segment = try await store.segment(id)
      return try filter(try understand(segment.rule, timezone: segment.timezone), now: clock.now())
    } catch StoreError.notFound {
      throw ValidationError(field: "segment_id", code: "unknown_segment", message: "there is no such segment")
    }
  }
}
