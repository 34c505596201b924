import JSON

/// What an operation of the API takes and answers: the part of a route that the served description is made from.
///
/// What follows from the route itself is not repeated here: ids in the path, `Idempotency-Key`, the problems that any
/// request with a body, an id or a dependency may get.
struct Operation: Sendable {
  /// A few words without a full stop.
  let summary: String
  /// What a client should know beyond that, in CommonMark.
  let details: String
  /// Parameters in the path that are no ObjectIds, by name.
  let path: [String: Schema]
  let query: [Parameter]
  let headers: [Parameter]
  let body: RequestBody?
  /// The answers to requests that are carried out.
  let answers: [Answer]
  /// Problems beyond those that follow from the route.
  let problems: [Problem.Kind]

  init(
    _ summary: String, _ details: String = "", path: [String: Schema] = [:], query: [Parameter] = [],
    headers: [Parameter] = [], body: RequestBody? = nil, answers: [Answer], problems: [Problem.Kind] = []
  ) {
    self.summary = summary
    self.details = details
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.answers = answers
    self.problems = problems
  }
}

extension Operation {
  /// A parameter of the query string or a header.
  struct Parameter: Sendable {
    let name: String
    let schema: Schema
    let description: String
    let isRequired: Bool

    init(_ name: String, _ schema: Schema, _ description: String = "", required: Bool = false) {
      self.name = name
      self.schema = schema
      self.description = description
      isRequired = required
    }
  }

  struct RequestBody: Sendable {
    let mediaType: String
    let schema: Schema
    /// Whether the request is incomplete without one.
    let isRequired: Bool

    static func json(_ schema: Schema, required: Bool = true) -> RequestBody {
      RequestBody(mediaType: "application/json", schema: schema, isRequired: required)
    }

    /// Bytes as they are: makers of clients know by the format that it is a file.
    static let csv = RequestBody(mediaType: "text/csv", schema: .string(format: "binary"), isRequired: true)
  }

  /// An answer to a request that was carried out.
  struct Answer: Sendable {
    let status: Int
    let description: String
    /// Nil: without a body.
    let mediaType: String?
    let schema: Schema
    let headers: [Parameter]

    init(
      _ status: Int, _ description: String, mediaType: String?, _ schema: Schema = .string, headers: [Parameter] = []
    ) {
      self.status = status
      self.description = description
      self.mediaType = mediaType
      self.schema = schema
      self.headers = headers
    }

    /// JSON in a shape of its own.
    static func json(_ schema: Schema, status: Int = 200, _ description: String = "Done") -> Answer {
      Answer(status, description, mediaType: "application/json", schema)
    }

    /// `{"success":true,"data":…}`
    static func data(_ schema: Schema, status: Int = 200, _ description: String = "Done") -> Answer {
      json(.object([.required("success", success), .required("data", schema)]), status: status, description)
    }

    /// 201 with the document that was made, and where it is.
    static func created(_ schema: Schema) -> Answer {
      let made = data(schema, status: 201)
      let location = Parameter("Location", .string(format: "uri-reference"), "Where it is", required: true)
      return Answer(201, "Made", mediaType: made.mediaType, made.schema, headers: [location])
    }

    /// A page of a list.
    static func page(of schema: Schema) -> Answer {
      json(
        .object([
          .required("success", success), .required("data", .array(of: schema)),
          .required("pagination", .pagination),
        ]), "A page of the list")
    }

    /// What is gone now.
    static let deleted = data(
      .named("Deleted", .object([.required("_id", .objectID), .required("deleted", Schema(["const": true]))])),
      "Deleted")

    /// A file or a stream that has no end known beforehand.
    ///
    /// - Parameter schema: of the text, or of each event, as OpenAPI 3.1 has it for server-sent events.
    static func stream(_ mediaType: String, _ description: String, of schema: Schema = .string) -> Answer {
      Answer(200, description, mediaType: mediaType, schema)
    }

    static let success = Schema(["type": "boolean", "const": true])
  }
}

extension [Operation.Parameter] {
  /// `limit` and `cursor` of a list that has no numbered pages.
  static let keyset: [Operation.Parameter] = paging().filter { $0.name != "page" }

  /// `page`, `limit`, `cursor` and, where there is a choice of orders, `sort_by` and `sort_order`.
  static func paging(sortedBy fields: [String] = []) -> [Operation.Parameter] {
    let page = Int64(PageQuery.lastPage)
    let limit = Int64(PageQuery.largestLimit)
    var parameters: [Operation.Parameter] = [
      .init("page", .integer(in: 1...page).defaulting(to: 1), "From 1. For deep pages take `cursor`."),
      .init(
        "limit", .integer(in: 1...limit).defaulting(to: .int(Int64(PageQuery.defaultLimit))), "Elements on a page."),
      .init(
        "cursor", .string(format: "cursor").with("pattern", "^[A-Za-z0-9_-]+$").with("maxLength", 2048),
        "`pagination.next_cursor` of the page before, in the same list and order; not together with `page`."),
    ]
    guard !fields.isEmpty else { return parameters }
    parameters += [
      .init("sort_by", .choice(fields)),
      .init("sort_order", .choice(of: SortDirection.self), "`desc` where `sort_by` is given without it."),
    ]
    return parameters
  }

  /// `paging`, sorted by the cases of an enumeration.
  static func paging<Field: RawRepresentable<String> & CaseIterable>(sortedBy: Field.Type) -> [Operation.Parameter] {
    paging(sortedBy: Field.allCases.map(\.rawValue))
  }

  static func search(_ places: String, longest: Int = 200) -> [Operation.Parameter] {
    [.init("search", .searchText(longest), "Found anywhere in \(places), in any case.")]
  }
}
