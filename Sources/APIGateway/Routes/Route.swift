import HTTP
import ServiceHost

/// One operation of the API, as data: what the router, the limits and the description of the API are made from.
struct Route: Sendable {
  typealias Handler = @Sendable (APIRequest) async throws -> HTTPResponse

  /// What the operation reads.
  enum Body: Sendable {
    case none
    /// JSON of at most so many bytes.
    case json(limit: Int)
    /// CSV of any size, read by the handler as it arrives. It honours `Idempotency-Key` itself: nobody knows the body before.
    case csv
  }

  /// Body limit of an ordinary request, in bytes.
  static let ordinaryLimit = 1 << 20
  /// Body limit of a bulk request, in bytes.
  static let bulkLimit = 10 << 20

  let method: HTTPMethod
  let pattern: String
  /// A name in camel case, unique; the operation's id in descriptions.
  let name: String
  /// What it takes and answers, for its description.
  let operation: Operation
  let access: Access
  /// What it changes. A route that says nothing here changes nothing if it is a GET.
  let effect: Effect?
  let body: Body
  /// Honours `Idempotency-Key`: it creates or launches something.
  let isIdempotent: Bool
  /// Its answers show a secret: under an idempotency key they are kept sealed.
  let showsSecret: Bool
  /// What it cannot work without: while one of these is known to be away, it is answered 503 at once.
  let needs: [HealthBoard.Dependency]
  /// The media types of its answers, those of a refusal among them.
  let offers: [String]
  let handler: Handler

  init(
    _ method: HTTPMethod, _ pattern: String, _ name: String, operation: Operation, access: Access,
    effect: Effect? = nil, body: Body = .none, idempotent: Bool = false, showsSecret: Bool = false,
    needs: [HealthBoard.Dependency] = [.database],
    _ handler: @escaping Handler
  ) {
    self.method = method
    self.pattern = pattern
    self.name = name
    self.operation = operation
    self.access = access
    self.effect = effect ?? (method == .get ? .nothing : nil)
    self.body = body
    isIdempotent = idempotent
    self.showsSecret = showsSecret
    self.needs = needs
    offers = (operation.answers.compactMap(\.mediaType) + [Problem.mediaType])
      .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    self.handler = handler
  }

  /// The largest body in bytes; nil: any, and the handler reads it as it arrives, so that its repetition cannot be told before.
  var bodyLimit: Int? {
    switch body {
    case .none: Route.ordinaryLimit
    case .json(let limit): limit
    case .csv: nil
    }
  }

  /// Large bodies are read when it is known that their sender may send them: strangers must not fill the memory.
  var options: RouteOptions {
    RouteOptions(bodyLimit: bodyLimit, streamsBody: bodyLimit.map { $0 > Route.ordinaryLimit } ?? true)
  }
}
