/// How the server treats requests to one route. `nil` stands for the server's default.
public struct RouteOptions: Sendable {
  /// The largest body in bytes; larger ones are answered 413. On a route that streams there is no limit unless given.
  public var bodyLimit: Int?
  /// How long the handler may take, from when it starts to its response; then the client gets a 503.
  public var deadline: Duration?
  /// Whether the handler starts at once and reads the body as it arrives, instead of getting it whole.
  public var streamsBody: Bool

  public init(bodyLimit: Int? = nil, deadline: Duration? = nil, streamsBody: Bool = false) {
    self.bodyLimit = bodyLimit
    self.deadline = deadline
    self.streamsBody = streamsBody
  }
}
