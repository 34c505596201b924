import HTTP
import JSON
import Testing

@testable import APIGateway

/// The document made from a few routes; that the gateway behaves as its own says is checked on the running process.
@Suite struct OpenAPIDocumentTests {
  private static func route(
    _ method: HTTPMethod, _ pattern: String, _ name: String, _ operation: Operation, body: Route.Body = .none,
    idempotent: Bool = false
  ) -> Route {
    Route(method, pattern, name, operation: operation, access: .open, body: body, idempotent: idempotent) { _ in
      HTTPResponse()
    }
  }

  private static func document(_ routes: Route...) -> JSONValue {
    OpenAPIDocument(routes.map(DescribedOperation.init)).json
  }

  /// Every `$ref` in a value.
  private static func references(_ value: JSONValue) -> [String] {
    switch value {
    case .object(let object):
      object.flatMap { key, value in key == "$ref" ? [value.stringValue ?? ""] : references(value) }
    case .array(let elements): elements.flatMap(references)
    default: []
    }
  }

  @Test func everyReferenceLeadsSomewhere() {
    let json = Self.document(
      Self.route(.post, "/api/v1/leads", "createLead", .createLead, body: .json(limit: 10), idempotent: true),
      Self.route(.get, "/api/v1/segments/:id", "getSegment", .getSegment))
    let references = Set(Self.references(json))
    #expect(references.contains("#/components/schemas/OrderRule"))
    for reference in references {
      let target = reference.split(separator: "/").dropFirst().reduce(json as JSONValue?) { $0?[String($1)] }
      #expect(target?.objectValue != nil, "\(reference)")
    }
  }

  @Test func whatFollowsFromTheRouteNeedsNotBeSaid() {
    let json = Self.document(
      Self.route(
        .post, "/api/v1/campaigns/:id/run", "runCampaign", .runCampaign, body: .json(limit: 10), idempotent: true))
    let operation = json["paths"]?["/api/v1/campaigns/{id}/run"]?["post"]
    let statuses = operation?["responses"]?.objectValue?.keys ?? []
    #expect(Set(statuses).isSuperset(of: ["202", "400", "404", "409", "413", "415", "422", "503"]))
    #expect(operation?["parameters"]?[0]?["name"] == "id")
    #expect(Self.references(operation ?? .null).contains("#/components/parameters/Idempotency-Key"))
    let conflict = json["components"]?["responses"]?["409-conflict-request-in-progress"]
    #expect(conflict?["x-problem-types"] == ["/problems/conflict", "/problems/request-in-progress"])
  }

  @Test func operationsWithoutABodyOrAnIDDoNotSayTheirProblems() {
    let json = Self.document(Self.route(.get, "/api/v1/orders", "listOrders", .listOrders))
    let statuses = Set(json["paths"]?["/api/v1/orders"]?["get"]?["responses"]?.objectValue?.keys ?? [])
    #expect(statuses.isDisjoint(with: ["404", "409", "415", "422"]))
  }

  @Test func methodsOfOnePathShareIt() {
    let json = Self.document(
      Self.route(.get, "/api/v1/leads/:id", "getLead", .getLead),
      Self.route(.delete, "/api/v1/leads/:id", "deleteLead", .deleteSegment))
    #expect(json["paths"]?["/api/v1/leads/{id}"]?.objectValue?.keys == ["get", "delete"])
  }

  @Test func thePageShowsEveryOperationAndEscapesWhatItShows() {
    let route = Self.route(
      .get, "/api/v1/leads", "listLeads", Operation("Tell <b>\"all\"</b> & more", answers: [.page(of: .lead)]))
    let operations = [DescribedOperation(route)]
    let html = DocumentationPage(operations, document: OpenAPIDocument(operations).json).html
    #expect(html.contains("Tell &lt;b&gt;&quot;all&quot;&lt;/b&gt; &amp; more"))
    #expect(html.contains(#"<section id="listLeads">"#))
    #expect(html.contains(#"<section id="schema-Lead">"#))
    #expect(!html.contains("<script"))
  }
}
