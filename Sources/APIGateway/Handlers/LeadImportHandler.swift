import BSON
import CRMCore
import CRMStore
import CSV
import HTTP
import JSON
import Runtime
import Synchronization

/// `POST /api/v1/leads/import`: leads from a CSV of any size.
struct LeadImportHandler: Sendable {
  /// How long the key of an upload is held after it was last heard of: when a gateway has died, another request may go on
  /// then.
  private static let lease = Duration.seconds(20)
  private static let renewal = Duration.seconds(5)
  /// Of `map` and of `ignore` in one request.
  private static let parameterLimit = 200

  let gateway: Gateway

  var routes: [Route] {
    [
      Route(
        .post, "/api/v1/leads/import", "importLeads", operation: .importLeads, access: .scope(.leadsWrite),
        effect: .bulk(.lead), body: .csv, idempotent: true, needs: [.database, .kafka], importLeads)
    ]
  }

  @Sendable private func importLeads(_ request: APIRequest) async throws -> HTTPResponse {
    var query = request.query
    let mappings = query.values("map", atMost: LeadImportHandler.parameterLimit)
    let ignored = query.values("ignore", atMost: LeadImportHandler.parameterLimit)
    try query.finish()
    let encoding = try request.csvEncoding()
    func upload(_ job: ObjectID, keep: @escaping @Sendable () async throws -> Void) -> LeadUpload {
      LeadUpload(
        job: job, trace: request.trace, mappings: mappings, ignored: ignored, encoding: encoding, store: gateway.store,
        keep: keep
      ) { [producer = gateway.producer] records in
        try await producer.produceAll(records)
      }
    }
    guard let key = request.http.headers[IdempotencyGate.header] else {
      var single = upload(request.effectID) {}
      return try await run(&single, request)
    }
    let gate = gateway.idempotencyGate(lease: LeadImportHandler.lease)
    let reservation = try await gate.reserve(key, request)
    let renewed = Mutex(ContinuousClock.now)
    var resumable = upload(reservation.effectID) { [store = gateway.store] in
      let isDue = renewed.withLock { last in
        guard last + LeadImportHandler.renewal < .now else { return false }
        last = .now
        return true
      }
      if isDue { try await store.extend(reservation, by: LeadImportHandler.lease) }
    }
    do {
      let response = try await run(&resumable, request)
      await settle(reservation, isUsed: true, request)
      return response
    } catch {
      await settle(reservation, isUsed: resumable.madeJob != nil || reservation.isRetry, request)
      throw error
    }
  }

  private func run(_ upload: inout LeadUpload, _ request: APIRequest) async throws -> HTTPResponse {
    do {
      let (job, isRepeated) = try await upload.run(request.http.body)
      var response = HTTPResponse.accepted(job)
      if isRepeated { response.headers.add(IdempotencyGate.replayedHeader, "true") }
      return response
    } catch {
      guard let id = upload.madeJob, var problem = Problem(describing: error) else { throw error }
      problem.members.append(("jobId", .string(id.hex)))
      throw problem
    }
  }

  /// Lets the key go: to whoever goes on with the upload, or to anybody, if nothing was made under it.
  private func settle(_ reservation: IdempotencyReservation, isUsed: Bool, _ request: APIRequest) async {
    let store = gateway.store
    // The request may be cancelled, and the key is held all the same.
    let result = await Task {
      if isUsed { try await store.suspend(reservation) } else { try await store.release(reservation) }
    }.result
    if case .failure(let error) = result {
      request.log.warning(
        "the key of an upload stays held until its lease runs out",
        [LogKey.requestID: .string(request.http.id), LogKey.error: .string("\(error)")])
    }
  }
}
