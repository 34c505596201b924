import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Foundation
import HTTP
import JSON
import Runtime
import ServiceHost
import Testing

@testable import APIGateway

/// The gateway's router with all its middleware, over a real MongoDB and broker, without sockets.
struct GatewayHarness: Sendable {
  static let jwtSecret = "a secret of the tests with at least 32 bytes"
  static let bootstrapKey = "a bootstrap key of the tests with 32 characters"
  static let webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

  let gateway: Gateway
  let database: String
  private let responder: GatewayResponder
  /// Whether the database goes with this gateway: a replica's is another's.
  private let ownsDatabase: Bool

  var store: Store { gateway.store }

  /// - Parameter database: another harness's, to be its replica; a new one unless given.
  init(_ settings: [String: String] = [:], database: String? = nil) async throws {
    ownsDatabase = database == nil
    let database = database ?? "test_" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    let environment = [
      "MONGODB_URI": try await TestServers.shared.mongoURI(), "MONGODB_DB_NAME": database, "MONGODB_POOL_SIZE": "4",
      "KAFKA_BROKERS": try await TestServers.shared.kafkaBrokers(), "LOG_LEVEL": "error",
      "RECEIPT_WEBHOOK_SECRET": Self.webhookSecret, "JWT_SECRET": Self.jwtSecret,
      "BOOTSTRAP_ADMIN_KEY": Self.bootstrapKey, "AUTH_CACHE_S": "0", "API_RATE_PER_MINUTE": "0",
      "API_RATE_PER_ADDRESS": "0",
    ].merging(settings) { $1 }
    var loaded = ProcessDefinition.apiGateway.settings()
    try loaded.load(from: environment, check: AccessSettings.problems)
    let context = try ServiceContext(definition: .apiGateway, settings: loaded)
    try await context.store.ensureSchema()
    context.health.report(.database, problem: nil)
    context.health.report(.kafka, problem: nil)
    gateway = try Gateway(context)
    responder = gateway.responder(gateway.router())
    self.database = database
  }

  /// Runs a test with a gateway and closes its connections afterwards.
  static func with(
    _ settings: [String: String] = [:], _ body: (GatewayHarness) async throws -> Void
  ) async throws {
    let harness = try await GatewayHarness(settings)
    do {
      try await body(harness)
    } catch {
      await harness.close()
      throw error
    }
    await harness.close()
  }

  func close() async {
    await gateway.producer.close(timeoutMS: 1000)
    await gateway.context.kafka.admin.close()
    // Seventy files each: the server of all tests has no more than so many open.
    if ownsDatabase {
      _ = try? await store.mongo.withConnection { try $0.command(["dropDatabase": 1]) }
    }
    await gateway.context.database?.close()
  }

  struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let bytes: [UInt8]

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue.parse(bytes)) ?? .null }
    var data: JSONValue { json["data"] ?? .null }
    var problem: String? { json["type"]?.stringValue.map { String($0.dropFirst("/problems/".count)) } }
    /// The fields that a validation names.
    var fields: Set<String> { Set((json["errors"]?.arrayValue ?? []).compactMap { $0["field"]?.stringValue }) }
  }

  /// - Parameter credential: of the header `Authorization: Bearer`; nil: none.
  @discardableResult
  func request(
    _ method: HTTPMethod, _ target: String, _ body: JSONValue? = nil, as credential: String?,
    headers: HTTPHeaders = [:], from address: String = "192.0.2.1", id: String = "test"
  ) async throws -> Answer {
    var headers = headers
    if let credential { headers.add("Authorization", "Bearer \(credential)") }
    if body != nil, !headers.contains("Content-Type") { headers.add("Content-Type", "application/json") }
    let response = try await respond(
      HTTPRequest(method, target, headers: headers, body: body?.encoded() ?? [], remoteAddress: address, id: id))
    return Answer(status: response.status, headers: response.headers, bytes: response.bytes ?? [])
  }

  /// The answer as the server would send it.
  func respond(_ request: HTTPRequest) async -> HTTPResponse {
    var response = await responder.respond(to: request)
    responder.finish(&response, for: request)
    return response
  }

  /// A new key of a role, straight from the store.
  func key(_ role: Role, scopes: Set<Scope>? = nil, name: String? = nil, expiresAt: Timestamp? = nil) async throws
    -> String
  {
    let secret = APIKeySecret()
    try await store.createAPIKey(
      APIKey(
        id: ObjectID(), name: name ?? role.rawValue, prefix: secret.prefix, digest: secret.digest, role: role,
        narrowedTo: scopes, createdBy: "tests", createdAt: SystemClock().now(), expiresAt: expiresAt))
    return secret.text
  }

  /// The newest entries of the audit log.
  func audit(_ query: String = "") async throws -> [JSONValue] {
    let answer = try await request(.get, "/api/v1/audit?limit=100\(query)", as: try await key(.admin))
    try #require(answer.status == 200, "\(answer.text)")
    return answer.data.arrayValue ?? []
  }
}
