import CRMCore
import HTTP

/// An operation with where it is found and what can go wrong: all that the document says of it.
struct DescribedOperation: Sendable {
  let method: HTTPMethod
  /// In the router's notation: `/api/v1/leads/:id`.
  let pattern: String
  let name: String
  let operation: Operation
  let isIdempotent: Bool
  /// Nobody asks who the caller is, or another thing than a credential tells.
  let isOpen: Bool
  /// What a credential must be good for; nil where any credential, or none, will do.
  let scope: Scope?
  let problems: [(status: Int, kinds: [Problem.Kind])]

  init(_ route: Route) {
    method = route.method
    pattern = route.pattern
    name = route.name
    operation = route.operation
    isIdempotent = route.isIdempotent
    isOpen = route.access == .open || route.access == .webhook
    if case .scope(let needed) = route.access { scope = needed } else { scope = nil }
    problems = route.problems
  }

  /// An operation that is no route of the API: one that every process has, or the description itself.
  init(_ pattern: String, _ name: String, _ operation: Operation, problems: [Problem.Kind] = Problem.Kind.anywhere) {
    method = .get
    self.pattern = pattern
    self.name = name
    self.operation = operation
    isIdempotent = false
    isOpen = true
    scope = nil
    self.problems = Problem.Kind.byStatus(problems)
  }

  /// What `OperationsRoutes` serves.
  static let everyProcess = [
    DescribedOperation("/health", "getHealth", .getHealth), DescribedOperation("/ready", "getReadiness", .getReadiness),
    DescribedOperation("/metrics", "getMetrics", .getMetrics),
  ]

  /// The chapter that it belongs to: `leads`, `campaigns`, …
  var tag: String {
    let segments = pattern.split(separator: "/")
    guard segments.count > 2, segments[0] == "api" else { return "system" }
    if segments[1] == "auth" { return "auth" }
    return ["openapi.json", "status"].contains(segments[2]) ? "system" : String(segments[2])
  }

  /// The path in OpenAPI's notation: `/api/v1/leads/{id}`.
  var path: String {
    pattern.split(separator: "/", omittingEmptySubsequences: false)
      .map { $0.first == ":" ? "{\($0.dropFirst())}" : String($0) }.joined(separator: "/")
  }

  /// Parameters in the path, in order.
  var pathParameters: [(name: String, schema: Schema)] {
    pattern.split(separator: "/").filter { $0.first == ":" }.map { segment in
      let name = String(segment.dropFirst())
      return (name, operation.path[name] ?? .objectID)
    }
  }
}
