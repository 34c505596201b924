import BSON
import CRMCore
import CivilTime
import Foundation
import JSON
import Testing

/// A condition as JSON.
func condition(_ field: String, _ op: String, _ value: JSONValue) -> JSONValue {
  ["type": "condition", "field": .string(field), "operator": .string(op), "value": value]
}

func group(_ op: String, _ children: JSONValue...) -> JSONValue { ["op": .string(op), "children": .array(children)] }

/// The moment at which these tests evaluate, a Tuesday: 2026-03-31T10:30:00.000Z.
let ruleNow = Timestamp(milliseconds: 1_774_953_000_000)

func instant(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

func date(_ text: String) throws -> BSONValue { .date(milliseconds: try instant(text).milliseconds) }

func zone(_ identifier: String) throws -> CalendarZone { try #require(CalendarZone(identifier: identifier)) }

/// Whether a lead fulfils a rule.
func matches(
  _ rule: JSONValue, _ lead: BSONDocument, now: Timestamp = ruleNow, zone: CalendarZone = .utc
) throws -> Bool {
  try Rule.decode(rule).evaluate(lead: lead, now: now, zone: zone)
}

/// The problems of a rule, as `path: code`; empty when it has none.
func problems(_ rule: JSONValue) -> [String] {
  errors(rule).map { "\($0.path): \($0.code.rawValue)" }
}

func errors(_ rule: JSONValue) -> [RuleProblem] {
  do {
    _ = try Rule.decode(rule)
    return []
  } catch {
    return error.errors
  }
}

/// CPU seconds of this thread so far: what bounds on time are checked with, since it does not count what else runs.
func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
