import HTTP
import JSON

/// A request to an operation, whose method and path the description knows.
struct Call: Sendable {
  enum Credential: Sendable, Equatable {
    case none
    /// An API key or a token.
    case key(String)
    /// The signature of a vendor, as `Standard Webhooks` has it, made anew for each request.
    case signature(secret: String)
  }

  /// What stands in the path, in the order of its parameters.
  var ids: [String] = []
  var query = ""
  var body: JSONValue?
  /// A body that is a file instead.
  var csv: String?
  var headers: HTTPHeaders = [:]
  /// Nil: what the operation asks for, of somebody who may do everything.
  var credential: Credential?

  var mediaType: String? { csv != nil ? "text/csv" : body != nil ? "application/json" : nil }
  var bytes: [UInt8] { csv.map { Array($0.utf8) } ?? body?.encoded() ?? [] }
}

/// How an operation is brought to its answers.
///
/// What every operation may answer (400, 401, 404, 413, …) is provoked for all alike by `Provocation`. A sample has the
/// operation's own answers: each success, and the refusals that depend on what it does. The success with the lowest
/// status also serves as the well-formed request that provocations spoil.
struct Sample: Sendable {
  /// Makes what the call needs, and the call.
  typealias Maker = @Sendable (ContractStage) async throws -> Call

  let operation: String
  let calls: [Int: Maker]

  init(_ operation: String, _ calls: [Int: Maker]) {
    self.operation = operation
    self.calls = calls
  }

  /// A new operation needs an entry in one of these, and a line in `AccessTable`.
  static let all = leads + orders + segments + campaigns + runs + audiences + deadLetters + deliveries + access + system

  /// Nil when the sample has no success.
  var success: (status: Int, make: Maker)? {
    calls.filter { $0.key < 300 }.min { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
