/// What any request to a route may meet, beyond what its operation says.
extension Route {
  /// The problems of the route by status, in ascending order.
  var problems: [(status: Int, kinds: [Problem.Kind])] {
    Problem.Kind.byStatus((ownProblems + Problem.Kind.anywhere).filter { $0 != .bodyTooLarge || bodyLimit != nil })
  }

  private var ownProblems: [Problem.Kind] {
    var kinds = operation.problems + [.malformedRequest, .validationFailed, .notAcceptable]
    if pattern.contains("/:") { kinds.append(.notFound) }
    if case .none = body {} else { kinds.append(.unsupportedMediaType) }
    if isIdempotent { kinds += [.idempotencyMismatch, .requestInProgress] }
    if !needs.isEmpty { kinds.append(.dependencyUnavailable) }
    kinds.append(.tooManyRequests)
    switch access {
    case .open: break
    case .webhook: kinds.append(.invalidSignature)
    // The database knows the credentials.
    case .authenticated, .scope: kinds += [.unauthenticated, .forbidden, .dependencyUnavailable]
    }
    return kinds
  }
}

extension Problem.Kind {
  /// Problems that a request may meet before it reaches its route, or because the server is in trouble.
  static let anywhere: [Problem.Kind] = [
    .requestTimeout, .bodyTooLarge, .targetTooLong, .headersTooLarge, .internalError, .overloaded, .tooSlow, .stopping,
  ]

  static func byStatus(_ kinds: [Problem.Kind]) -> [(status: Int, kinds: [Problem.Kind])] {
    let known = allCases.filter(kinds.contains)
    return Dictionary(grouping: known, by: \.status).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
