import CRMStore
import HTTP
import JSON

/// `/api/v1/jobs`
struct JobHandlers: Sendable {
  /// Row errors shown with a job; all of them are in its list of errors.
  private static let errorsShown = 100

  let gateway: Gateway

  var routes: [Route] {
    [
      Route(.get, "/api/v1/jobs/:id", "getJob", operation: .getJob, access: .scope(.leadsRead), show),
      Route(
        .get, "/api/v1/jobs/:id/errors", "getJobErrors", operation: .getJobErrors, access: .scope(.leadsRead), errors),
    ]
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let job = try await gateway.store.job(try request.objectID())
    guard var shown = job.jsonValue.objectValue else { return .data(job.jsonValue) }
    if job.counts.rejected > 0 {
      let (errors, next) = try await gateway.store.jobErrors(job.id, limit: JobHandlers.errorsShown)
      shown["errors"] = .array(
        errors.map { error in
          [
            "row": .int(error.row), "field": .string(error.field), "code": .string(error.code),
            "message": .string(error.message),
          ]
        })
      shown["errors_truncated"] = .bool(next != nil)
    } else {
      shown["errors"] = []
      shown["errors_truncated"] = false
    }
    return .data(.object(shown))
  }

  /// All errors as CSV.
  @Sendable private func errors(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let job = try await gateway.store.job(try request.objectID())
    return .csv(JobErrorExport(job.id, store: gateway.store), as: "job-\(job.id.hex)-errors", for: request)
  }
}
