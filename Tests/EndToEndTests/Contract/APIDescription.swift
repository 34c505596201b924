import Foundation
import HTTP
import JSON
import Synchronization

/// The description that a gateway serves, and whether answers are as it says.
final class APIDescription: Sendable {
  /// A documented answer: `listLeads 200`.
  struct Pair: Hashable, Comparable, Sendable, CustomStringConvertible {
    let operation: String
    let status: Int

    var description: String { "\(operation) \(status)" }

    static func < (left: Pair, right: Pair) -> Bool {
      (left.operation, left.status) < (right.operation, right.status)
    }
  }

  /// What can be asked for by a method and a path.
  struct Operation: Sendable {
    let name: String
    let method: HTTPMethod
    /// In OpenAPI's notation: `/api/v1/leads/{id}`.
    let path: String
    let description: JSONValue

    var statuses: [Int] { (description["responses"]?.objectValue ?? [:]).keys.compactMap { Int($0) } }
    var hasBody: Bool { description["requestBody"] != nil }
    /// Whether it asks for a credential.
    var isGuarded: Bool { description["security"]?.arrayValue?.isEmpty == false }
    /// Whether it honours `Idempotency-Key`.
    var isIdempotent: Bool {
      (description["parameters"]?.arrayValue ?? []).contains {
        $0["$ref"]?.stringValue?.hasSuffix("/Idempotency-Key") == true
      }
    }

    /// Ids that nothing has, one for each parameter of the path.
    var unknownIDs: [String] {
      (description["parameters"]?.arrayValue ?? []).filter { $0["in"] == "path" }.map { parameter in
        parameter["schema"]?["format"] == "uuid"
          ? "11111111-2222-4333-8444-555555555555" : "0123456789abcdef01234567"
      }
    }

    /// The path with ids in the place of its parameters, in order.
    func path(_ ids: [String]) -> String {
      var ids = ids[...]
      return path.split(separator: "/", omittingEmptySubsequences: false)
        .map { $0.hasPrefix("{") ? ids.popFirst() ?? "" : String($0) }.joined(separator: "/")
    }
  }

  let document: JSONValue
  private let checker: SchemaChecker
  private let exercisedPairs = Mutex<Set<Pair>>([])

  init(_ document: JSONValue) {
    self.document = document
    checker = SchemaChecker(document: document)
  }

  /// Fetches the description from a running gateway.
  static func fetch(_ baseURL: String, _ client: HTTPClient) async throws -> APIDescription {
    let answer = try await client.execute(
      HTTPClientRequest(.get, baseURL + "/api/v1/openapi.json", maxResponseBytes: 16 << 20))
    guard answer.status == 200 else {
      throw TestStack.Failure(description: "no description is served: \(answer.status)")
    }
    return APIDescription(try JSONValue.parse(answer.body))
  }

  /// Every operation, in the document's order.
  var operations: [Operation] {
    (document["paths"]?.objectValue ?? [:]).flatMap { path, item in
      (item.objectValue ?? [:]).map { method, description in
        Operation(
          name: description["operationId"]?.stringValue ?? "", method: HTTPMethod(rawValue: method.uppercased()),
          path: path, description: description)
      }
    }
  }

  /// Every pair that the document names.
  var pairs: Set<Pair> {
    Set(operations.flatMap { operation in operation.statuses.map { Pair(operation: operation.name, status: $0) } })
  }

  /// Pairs of which an answer has been seen.
  var exercised: Set<Pair> { exercisedPairs.withLock { $0 } }

  /// Everything in which an answer is not as the description has it. Paths outside the description are not judged,
  /// answers without a described operation must be 404 or 405.
  func violations(_ method: HTTPMethod, _ target: String, _ answer: TestStack.Answer) -> [String] {
    let path = String(target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)[0])
    // HEAD is answered as GET is, without a body, and OPTIONS for every path: the description does not list them.
    guard path.hasPrefix("/"), method != .head, method != .options else { return [] }
    guard let operation = operation(method, path) else {
      return [404, 405].contains(answer.status) ? [] : ["is not described, and answered \(answer.status)"]
    }
    let name = operation["operationId"]?.stringValue ?? ""
    guard var response = operation["responses"]?[String(answer.status)] else {
      return ["\(name): the status \(answer.status) is not described"]
    }
    if let reference = response["$ref"]?.stringValue { response = checker.resolve(reference) ?? .null }
    let found = headers(answer, response) + body(answer, response)
    if found.isEmpty { _ = exercisedPairs.withLock { $0.insert(Pair(operation: name, status: answer.status)) } }
    return found.map { "\(name) \(answer.status): \($0)" }
  }

  /// The operation of a path; literal segments beat parameters.
  private func operation(_ method: HTTPMethod, _ path: String) -> JSONValue? {
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    let matches = (document["paths"]?.objectValue ?? [:]).filter { pattern, _ in
      let parts = pattern.split(separator: "/", omittingEmptySubsequences: false)
      return parts.count == segments.count && zip(parts, segments).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
    }
    let best = matches.min { $0.key.count { $0 == "{" } < $1.key.count { $0 == "{" } }
    return best?.value[method.rawValue.lowercased()]
  }

  private func headers(_ answer: TestStack.Answer, _ response: JSONValue) -> [String] {
    (response["headers"]?.objectValue ?? [:]).flatMap { name, described -> [String] in
      let header = described["$ref"]?.stringValue.flatMap(checker.resolve) ?? described
      guard let value = answer.headers[name] else {
        return header["required"] == true ? ["the header \(name) is missing"] : []
      }
      // Header values are text; a described number is written in digits.
      let parsed = Int64(value).map(JSONValue.int) ?? .string(value)
      let json = header["schema"]?["type"] == "string" ? JSONValue.string(value) : parsed
      return checker.violations(json, header["schema"] ?? .null, "header \(name)")
    }
  }

  private func body(_ answer: TestStack.Answer, _ response: JSONValue) -> [String] {
    guard let content = response["content"]?.objectValue else {
      return answer.body.isEmpty ? [] : ["no body is described"]
    }
    let type = String((answer.headers["Content-Type"] ?? "").split(separator: ";").first ?? "")
    guard let schema = content[type]?["schema"] else {
      return ["the content type \(type) is not described, only \(content.keys.joined(separator: ", "))"]
    }
    guard type.hasSuffix("json") else { return [] }
    guard let json = try? JSONValue.parse(answer.body) else { return ["the body is no JSON"] }
    var found = checker.violations(json, schema)
    if type == "application/problem+json", let types = response["x-problem-types"]?.arrayValue,
      !types.contains(json["type"] ?? .null)
    {
      found.append("the problem \(json["type"]?.stringValue ?? "") is not described")
    }
    return found
  }
}
