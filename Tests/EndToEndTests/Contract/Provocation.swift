import CRMStore
import Crypto
import Foundation
import HTTP
import JSON
import Mongo
import Runtime

/// Sends calls, and spoils a well-formed one so that it is answered with a given status, the same way for every operation.
struct Provocation: Sendable {
  typealias Operation = APIDescription.Operation

  let stage: ContractStage
  /// Gateways beside the stack's own, each with a limit that is reached at once or without callers' names.
  let perCredential: String
  let perAddress: String
  let nameless: String

  init(_ stage: ContractStage) async throws {
    self.stage = stage
    perCredential = try await stage.stack.startReplica(of: "api-gateway", ["API_RATE_PER_MINUTE": "1"])
    perAddress = try await stage.stack.startReplica(
      of: "api-gateway", ["API_RATE_PER_ADDRESS": "1", "WEBHOOK_RATE_PER_ADDRESS": "1"])
    nameless = try await stage.stack.startReplica(of: "api-gateway", ["AUTH_MODE": "off"])
  }

  // MARK: Sending

  private func headers(of call: Call, _ operation: Operation) throws -> HTTPHeaders {
    var headers = call.headers
    if headers["Content-Type"] == nil { headers["Content-Type"] = call.mediaType }
    let usual: Call.Credential =
      operation.name == "receiveReceipts"
      ? .signature(secret: ContractStage.webhookSecret) : operation.isGuarded ? .key(stage.admin.secret) : .none
    switch call.credential ?? usual {
    case .none: break
    case .key(let key): headers["Authorization"] = "Bearer \(key)"
    case .signature(let secret):
      for (name, value) in try stage.signature(of: call.body, secret: secret) { headers[name] = value }
    }
    return headers
  }

  private func target(_ operation: Operation, _ call: Call) -> String {
    operation.path(call.ids) + (call.query.isEmpty ? "" : "?" + call.query)
  }

  /// - Parameter gateway: another than the stack's own.
  func send(_ operation: Operation, _ call: Call, to gateway: String? = nil) async throws -> TestStack.Answer {
    try await stage.stack.send(
      operation.method, target(operation, call), call.bytes, try headers(of: call, operation), to: gateway,
      within: .seconds(60), atMost: 16 << 20)
  }

  /// Sends a head as it stands, and reads the answer to it.
  private func sendHead(
    _ operation: Operation, _ call: Call, _ lines: [String], within limit: Duration = .seconds(10)
  ) async throws -> TestStack.Answer {
    let target = target(operation, call)
    let connection = try RawConnection(to: stage.stack.baseURL)
    let known = try headers(of: call, operation).map { "\($0.name): \($0.value)" }
    let head = ["\(operation.method.rawValue) \(target) HTTP/1.1", "Host: localhost"] + known + lines
    try await connection.send(head.joined(separator: "\r\n") + "\r\n")
    let answer = try await connection.answer(within: limit)
    return stage.stack.conforming(answer, operation.method, target)
  }

  // MARK: Spoiling

  /// Sends a call in such a way that it is answered with `status`.
  ///
  /// - Parameter call: one that would succeed.
  /// - Returns: nil when there is no way that is the same for all operations: the sample has to have its own.
  func provoke(_ status: Int, _ operation: Operation, _ call: Call) async throws -> TestStack.Answer? {
    var spoilt = call
    switch status {
    case 400:
      spoilt.query = "no_parameter=1"
    case 401:
      spoilt.credential = Call.Credential.none
    case 403:
      guard case .scope(let scope, _) = AccessTable.doors[operation.name] else {
        // Where everybody with a credential may, only a page from elsewhere may not.
        spoilt.headers["Host"] = "pages.example"
        return try await send(operation, spoilt, to: nameless)
      }
      spoilt.credential = .key(try await stage.key(butFor: scope))
    case 404:
      spoilt.ids = operation.unknownIDs
    case 406:
      spoilt.headers["Accept"] = "image/png"
    case 408:
      // The head never ends.
      return try await sendHead(operation, call, ["X-Slow: yes"], within: .seconds(20))
    case 409:
      return try await whileInProgress(operation, call)
    case 413:
      return try await sendHead(operation, call, ["Content-Length: 99999999", ""])
    case 414:
      spoilt.query = "q=" + String(repeating: "a", count: 8200)
    case 415:
      spoilt.headers["Content-Type"] = "text/plain"
      spoilt.body = call.body ?? [:]
    case 422:
      guard operation.isIdempotent else { return nil }
      spoilt.headers["Idempotency-Key"] = stage.unique("key")
      guard (200..<300).contains(try await send(operation, spoilt).status) else { return nil }
      spoilt.query = "another=1"
    case 429:
      return try await tooOften(operation, call)
    case 431:
      spoilt.headers["X-Long"] = String(repeating: "a", count: 17_000)
    default: return nil
    }
    return try await send(operation, spoilt)
  }

  private func tooOften(_ operation: Operation, _ call: Call) async throws -> TestStack.Answer {
    let description = stage.stack.api.operations
    if operation.isGuarded, let me = description.first(where: { $0.name == "getCaller" }) {
      _ = try await send(me, Call(), to: perCredential)
      return try await send(operation, call, to: perCredential)
    }
    _ = try await send(operation, call, to: perAddress)
    return try await send(operation, call, to: perAddress)
  }

  /// Sends a call whose key another attempt holds, which never ends: the reservation that a gateway makes before it begins.
  private func whileInProgress(_ operation: Operation, _ call: Call) async throws -> TestStack.Answer? {
    guard operation.isIdempotent else { return nil }
    let key = stage.unique("key")
    let caller = hexString(SHA256.digest(Array("key:\(stage.admin.id)".utf8)).prefix(16))
    // An answer that shows a secret is sealed by the key, which is not kept itself.
    let kept = operation.name == "createAPIKey" ? "sha256:" + hexString(SHA256.digest(Array(key.utf8))) : key
    let request = "\(operation.method.rawValue) \(target(operation, call))\n"
    let mongo = try MongoClient(
      MongoClient.Configuration(
        uri: stage.stack.settings["MONGODB_URI"] ?? "", database: stage.stack.settings["MONGODB_DB_NAME"] ?? ""))
    let store = Store(mongo: mongo, clock: SystemClock())
    _ = try await store.reserveIdempotencyKey(
      "\(operation.method.rawValue) \(operation.path(call.ids)) \(caller) \(kept)",
      // A file is not known beforehand.
      fingerprint: SHA256.digest(Array(request.utf8) + (call.csv == nil ? call.bytes : [])), lease: .seconds(600),
      timeToLive: .seconds(600))
    await mongo.close()
    var again = call
    again.headers["Idempotency-Key"] = key
    return try await send(operation, again)
  }
}
