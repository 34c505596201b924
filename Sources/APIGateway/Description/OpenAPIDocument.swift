import HTTP
import JSON
import ServiceHost

/// The description of the API as an OpenAPI 3.1 document, made from the routes.
struct OpenAPIDocument: Sendable {
  let operations: [DescribedOperation]

  init(_ operations: [DescribedOperation]) { self.operations = operations }

  var json: JSONValue {
    var schemas: [String: JSONValue] = Schema.problem.definitions
    for described in operations {
      for schema in OpenAPIDocument.schemas(of: described) { schemas.merge(schema.definitions) { known, _ in known } }
    }
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "MiniCRM", "version": .string(ProductVersion.current), "summary": "Campaign messaging",
        "description": .string(OpenAPIDocument.introduction), "license": ["name": "MIT", "identifier": "MIT"],
      ],
      "servers": [["url": "/"]],
      "tags": .array(tags.map { ["name": .string($0)] }),
      "paths": .object(paths),
      "components": [
        "schemas": .object(JSONObject(schemas.sorted { $0.key < $1.key })),
        "securitySchemes": [
          "bearer": ["type": "http", "scheme": "bearer", "description": "An API key or a token"],
          "apiKey": ["type": "apiKey", "in": "header", "name": .string(Credential.apiKeyHeader)],
        ],
        "responses": .object(problemResponses), "parameters": .object(OpenAPIDocument.parameters),
        "headers": [
          "X-Request-Id": [
            "description": "The request's id: the client's own where it sent one, else one that was made",
            "required": true, "schema": Schema.string.json,
          ]
        ],
      ],
    ]
  }

  private static let introduction = """
    Success is `{"success":true,"data":…}`, lists add `pagination`. Failure is `application/problem+json` (RFC 9457); \
    `errors` names every bad field. Unknown fields and unknown parameters are errors. Documents of answers may get \
    members with later versions. A `POST` with an `Idempotency-Key` is carried out once, however often it arrives.
    """

  /// In the order of their first operation.
  private var tags: [String] {
    var seen: Set<String> = []
    return operations.map(\.tag).filter { seen.insert($0).inserted }
  }

  private static func schemas(of described: DescribedOperation) -> [Schema] {
    let operation = described.operation
    return operation.answers.map(\.schema) + operation.query.map(\.schema) + operation.headers.map(\.schema)
      + described.pathParameters.map(\.schema) + (operation.body.map { [$0.schema] } ?? [])
  }

  // MARK: Paths

  private var paths: JSONObject {
    var paths = JSONObject()
    for described in operations {
      var item = paths[described.path]?.objectValue ?? [:]
      item[described.method.rawValue.lowercased()] = OpenAPIDocument.describe(described)
      paths[described.path] = .object(item)
    }
    return paths
  }

  private static func describe(_ described: DescribedOperation) -> JSONValue {
    let operation = described.operation
    var object: JSONObject = [
      "operationId": .string(described.name), "tags": [.string(described.tag)],
      "summary": .string(operation.summary),
    ]
    if !operation.details.isEmpty { object["description"] = .string(operation.details) }
    object["security"] = described.isOpen ? [] : [["bearer": []], ["apiKey": []]]
    if let scope = described.scope { object["x-required-scope"] = .string(scope.rawValue) }
    object["parameters"] = .array(parameters(of: described))
    if let body = operation.body {
      object["requestBody"] = [
        "required": .bool(body.isRequired), "content": content(body.mediaType, body.schema),
      ]
    }
    object["responses"] = .object(responses(to: described))
    return .object(object)
  }

  private static func parameters(of described: DescribedOperation) -> [JSONValue] {
    var parameters = described.pathParameters.map { name, schema -> JSONValue in
      ["name": .string(name), "in": "path", "required": true, "schema": schema.json]
    }
    parameters += described.operation.query.map { parameter($0, in: "query") }
    parameters += described.operation.headers.map { parameter($0, in: "header") }
    if described.isIdempotent { parameters.append(["$ref": "#/components/parameters/Idempotency-Key"]) }
    parameters += ["X-Request-Id", "traceparent"].map { name -> JSONValue in
      ["$ref": .string("#/components/parameters/\(name)")]
    }
    return parameters
  }

  private static func parameter(_ parameter: Operation.Parameter, in place: String) -> JSONValue {
    var object: JSONObject = [
      "name": .string(parameter.name), "in": .string(place), "required": .bool(parameter.isRequired),
      "schema": parameter.schema.json,
    ]
    if !parameter.description.isEmpty { object["description"] = .string(parameter.description) }
    return .object(object)
  }

  /// Headers that operations share.
  private static let parameters: JSONObject = [
    "Idempotency-Key": parameter(
      .init(
        IdempotencyGate.header, .string(1...255, pattern: "^[!-~]{1,255}$"),
        "Makes repetitions harmless; the same key for another request is refused"), in: "header"),
    "X-Request-Id": parameter(
      .init("X-Request-Id", .string, "Taken over if it is well formed: letters, digits, `.`, `_`, `-`"), in: "header"),
    "traceparent": parameter(
      .init("traceparent", .string, "W3C trace context, continued into Kafka if it is well formed"), in: "header"),
  ]

  // MARK: Responses

  private static func responses(to described: DescribedOperation) -> JSONObject {
    var responses: [(status: Int, json: JSONValue)] = described.operation.answers.map { answer in
      (answer.status, describe(answer, isIdempotent: described.isIdempotent))
    }
    for (status, kinds) in described.problems {
      // The readiness of a process has an answer of its own with 503, beside the problems.
      if let index = responses.firstIndex(where: { $0.status == status }) {
        responses[index].json = either(responses[index].json, response(kinds))
      } else {
        responses.append((status, ["$ref": .string("#/components/responses/\(responseName(status, kinds))")]))
      }
    }
    return JSONObject(responses.sorted { $0.status < $1.status }.map { (key: String($0.status), value: $0.json) })
  }

  /// An answer that is one or the other, told apart by its media type.
  private static func either(_ answer: JSONValue, _ problem: JSONValue) -> JSONValue {
    guard var object = answer.objectValue else { return problem }
    for name in ["content", "headers"] {
      var members = problem[name]?.objectValue ?? [:]
      for (key, value) in answer[name]?.objectValue ?? [:] { members[key] = value }
      object[name] = .object(members)
    }
    object["x-problem-types"] = problem["x-problem-types"]
    // The other answer does without what every problem has.
    if object["headers"]?["Retry-After"] != nil {
      var headers = object["headers"]?.objectValue ?? [:]
      headers["Retry-After"] = describe(.init("Retry-After", .count, "Seconds, of a problem"))
      object["headers"] = .object(headers)
    }
    return .object(object)
  }

  private static func describe(_ answer: Operation.Answer, isIdempotent: Bool) -> JSONValue {
    var object: JSONObject = ["description": .string(answer.description)]
    var headers: JSONObject = ["X-Request-Id": ["$ref": "#/components/headers/X-Request-Id"]]
    for header in answer.headers { headers[header.name] = describe(header) }
    if isIdempotent {
      headers[IdempotencyGate.replayedHeader] = describe(
        .init(IdempotencyGate.replayedHeader, .constant("true"), "The answer is that of an earlier request"))
    }
    object["headers"] = .object(headers)
    if let mediaType = answer.mediaType { object["content"] = content(mediaType, answer.schema) }
    return .object(object)
  }

  private static func describe(_ header: Operation.Parameter) -> JSONValue {
    var object: JSONObject = ["required": .bool(header.isRequired), "schema": header.schema.json]
    if !header.description.isEmpty { object["description"] = .string(header.description) }
    return .object(object)
  }

  private static func content(_ mediaType: String, _ schema: Schema) -> JSONValue {
    let description: JSONValue = ["schema": schema.json]
    return .object(JSONObject([(key: mediaType, value: description)]))
  }

  // MARK: Problems

  /// Problem responses, one for each set of kinds that operations have under a status.
  private var problemResponses: JSONObject {
    var responses: [String: JSONValue] = [:]
    for (status, kinds) in operations.flatMap(\.problems) {
      responses[OpenAPIDocument.responseName(status, kinds)] = OpenAPIDocument.response(kinds)
    }
    return JSONObject(responses.sorted { $0.key < $1.key })
  }

  private static func responseName(_ status: Int, _ kinds: [Problem.Kind]) -> String {
    "\(status)-" + kinds.map(\.rawValue).joined(separator: "-")
  }

  /// `x-problem-types` lists the values of `type` that can stand in it.
  private static func response(_ kinds: [Problem.Kind]) -> JSONValue {
    var headers: JSONObject = ["X-Request-Id": ["$ref": "#/components/headers/X-Request-Id"]]
    let isTemporary = kinds.allSatisfy { $0.status == 503 || $0.status == 429 }
    if isTemporary || kinds.contains(.requestInProgress) {
      headers["Retry-After"] = describe(.init("Retry-After", .count, "Seconds", required: isTemporary))
    }
    if kinds.contains(.unauthenticated) || kinds.contains(.forbidden) {
      headers["WWW-Authenticate"] = describe(.init("WWW-Authenticate", .string, "RFC 6750"))
    }
    return [
      "description": .string(kinds.map { "\($0.title)." }.joined(separator: " ")), "headers": .object(headers),
      "content": content("application/problem+json", .problem),
      "x-problem-types": .array(kinds.map { .string($0.type) }),
    ]
  }
}
