import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import HTTP
import JSON
import Kafka
import Runtime
import ServiceHost
import Synchronization

/// `/api/v1/delivery`: what vendors tell about messages. It needs Kafka and nothing else.
struct ReceiptHandlers: Sendable {
  /// Receipts in one request at most.
  static let batchLimit = 1000
  static let receiptPath = "/api/v1/delivery/receipt"

  private let gateway: Gateway
  private let tally = Tally()
  /// A signature is good from the tolerance before its time to the tolerance after it.
  private let replays = ReplayGuard(lifetime: StandardWebhook.tolerance * 2)

  /// Receipts since the process started.
  private final class Tally: Sendable {
    let accepted = Atomic(0)
    let refused = Atomic(0)
  }

  init(gateway: Gateway) { self.gateway = gateway }

  var routes: [Route] {
    [
      Route(
        .post, ReceiptHandlers.receiptPath, "receiveReceipts", operation: .receiveReceipts, access: .webhook,
        effect: .nothing,
        body: .json(limit: Route.ordinaryLimit), needs: [.kafka],
        receive),
      Route(
        .get, "/api/v1/delivery/status", "getDeliveryStatus", operation: .getDeliveryStatus,
        access: .scope(.statusRead), needs: [], status),
    ]
  }

  /// Answers 202 when the broker has every receipt, so that a vendor that hears anything else sends them again.
  @Sendable private func receive(_ request: APIRequest) async throws -> HTTPResponse {
    do {
      let (receipts, fingerprint) = try verified(request)
      let records = receipts.map { receipt in
        Topic.receipts.record(key: receipt.sendID.string, value: receipt.encoded(), trace: request.trace)
      }
      failpoint(.receiveBegin)
      if records.count == 1 {
        try await gateway.producer.produce(records[0])
      } else {
        try await gateway.producer.produceAll(records)
      }
      failpoint(.receivePublished)
      replays.insert(fingerprint)
      tally.accepted.add(receipts.count, ordering: .relaxed)
      return .data(status: 202, capacity: 64) { writer in
        writer.beginObject()
        writer.field("accepted", receipts.count)
        writer.endObject()
      }
    } catch {
      tally.refused.add(1, ordering: .relaxed)
      throw error
    }
  }

  /// What a signed request says, and what it will be known by if it comes again.
  private func verified(_ request: APIRequest) throws -> ([DeliveryReceipt], SIMD2<UInt64>) {
    let body = request.http.body.bytes ?? []
    let headers = request.http.headers
    let now = gateway.clock.now()
    do {
      try gateway.webhook.verify(
        id: headers[StandardWebhook.idHeader], timestamp: headers[StandardWebhook.timestampHeader],
        signature: headers[StandardWebhook.signatureHeader], body: body, now: now)
    } catch {
      throw Problem(.invalidSignature, "\(error).")
    }
    let fingerprint = ReplayGuard.fingerprint(
      id: headers[StandardWebhook.idHeader] ?? "", timestamp: headers[StandardWebhook.timestampHeader] ?? "", body: body
    )
    guard !replays.contains(fingerprint) else {
      throw Problem(
        .replayedWebhook, "This signed request has been carried out. To send it again, sign it with a new time.")
    }
    try request.expectNoQuery()
    return (try receipts(in: try request.json(), at: now), fingerprint)
  }

  private func receipts(in json: JSONValue, at now: Timestamp) throws -> [DeliveryReceipt] {
    guard case .array(let elements) = json else {
      return [try DeliveryReceipt.decode(webhook: json, receivedAt: now).get()]
    }
    guard (1...ReceiptHandlers.batchLimit).contains(elements.count) else {
      throw ValidationError(
        field: "body", code: "invalid_length", message: "must have 1 to \(ReceiptHandlers.batchLimit) receipts")
    }
    var receipts: [DeliveryReceipt] = []
    receipts.reserveCapacity(elements.count)
    var errors: [FieldError] = []
    for (index, element) in elements.enumerated() {
      switch DeliveryReceipt.decode(webhook: element, path: "[\(index)]", receivedAt: now) {
      case .success(let receipt): receipts.append(receipt)
      case .failure(let error): errors += error.errors
      }
    }
    if let error = ValidationError(errors) { throw error }
    return receipts
  }

  /// Whether receipts can be taken, and how many were.
  @Sendable private func status(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let isConnected = gateway.context.health.isConnected(.kafka)
    return .data([
      "accepting": .bool(isConnected && !gateway.producer.isCongested),
      "kafka": .string(isConnected ? "connected" : "disconnected"),
      "receipts_accepted": .int(Int64(tally.accepted.load(ordering: .relaxed))),
      "requests_refused": .int(Int64(tally.refused.load(ordering: .relaxed))),
      "records_waiting": .int(Int64(gateway.producer.queuedRecords)),
    ])
  }
}
