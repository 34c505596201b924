import CRMCore
import CRMStore
import CivilTime
import JSON

/// What every request about a rule has: `rule_ast`, and optionally `timezone` and `now`.
struct RuleRequest: Sendable {
  let rule: ZonedRule
  let now: Timestamp
  /// Whether the request names the instant itself.
  let isAsOfAnotherTime: Bool

  /// Reads these members and refuses all others.
  ///
  /// - Parameter more: reads further members of the same object.
  /// - Throws: `ValidationError` with everything that is wrong with the body, the rule's problems among it.
  static func read(
    _ json: JSONValue, _ gateway: Gateway, more: (inout ObjectReader) -> Void = { _ in }
  ) throws(ValidationError) -> RuleRequest {
    var reader = ObjectReader(json)
    let rule = reader.value("rule_ast", required: true)
    let timezone = reader.string("timezone", length: 1...64)
    let instant = reader.timestamp("now")
    more(&reader)
    var errors = reader.finish()
    var understood: ZonedRule?
    if let rule {
      do {
        understood = try gateway.audiences.understand(rule, timezone: timezone)
      } catch {
        errors += error.errors
      }
    }
    if let error = ValidationError(errors) { throw error }
    guard let understood else { throw ValidationError(field: "rule_ast", code: "required", message: "is required") }
    return RuleRequest(
      rule: understood, now: instant ?? gateway.clock.now(), isAsOfAnotherTime: instant != nil)
  }
}
