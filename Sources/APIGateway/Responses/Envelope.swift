import CRMCore
import CRMStore
import HTTP
import JSON

/// The product's success envelope: `{"success":true,"data":…}`.
extension HTTPResponse {
  static func data(_ value: JSONValue, status: Int = 200) -> HTTPResponse {
    data(status: status) { $0.value(value) }
  }

  static func data(_ value: some JSONRepresentable, status: Int = 200) -> HTTPResponse {
    data(status: status) { value.write(to: &$0) }
  }

  /// - Parameter write: writes one JSON value.
  static func data(status: Int = 200, capacity: Int = 512, _ write: (inout JSONWriter) -> Void) -> HTTPResponse {
    var writer = JSONWriter(reservingCapacity: capacity)
    writer.beginObject()
    writer.field("success", true)
    writer.key("data")
    write(&writer)
    writer.endObject()
    return .json(writer.bytes, status: status)
  }

  /// A document that has been made, and where it is.
  static func created(_ value: some JSONRepresentable, at path: String) -> HTTPResponse {
    var response = HTTPResponse.data(value, status: 201)
    response.headers.add("Location", path)
    return response
  }

  /// A job whose rows are all at the broker.
  static func accepted(_ job: Job) -> HTTPResponse {
    data(status: 202) { writer in
      writer.beginObject()
      writer.field("jobId", job.id.hex)
      writer.field("state", job.state.rawValue)
      writer.field("received", job.counts.received)
      writer.endObject()
    }
  }

  /// A page of a list with its `pagination`.
  static func page<Element>(
    _ page: ListPage<Element>, _ query: PageQuery, _ write: (Element, inout JSONWriter) -> Void
  ) -> HTTPResponse {
    var writer = JSONWriter(reservingCapacity: 256 + 512 * page.elements.count)
    writer.beginObject()
    writer.field("success", true)
    writer.key("data")
    writer.beginArray()
    for element in page.elements { write(element, &writer) }
    writer.endArray()
    writer.key("pagination")
    writer.beginObject()
    if case .page(let number) = query.start { writer.field("page", number) }
    writer.field("limit", query.limit)
    writer.field("total", page.total)
    writer.field("pages", (page.total + query.limit - 1) / query.limit)
    if let next = page.next { writer.field("next_cursor", CursorCoding.encode(next, order: query.order)) }
    writer.endObject()
    writer.endObject()
    return .json(writer.bytes)
  }
}
