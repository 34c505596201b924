import CRMCore
import CRMMessaging
import Crypto
import Kafka

/// One thing that is known of a send: what a worker told, or what a vendor reported.
struct Evidence: Sendable {
  let sendID: UUIDBytes
  let event: SendEvent

  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> Evidence {
    guard let value = record.value else { throw PoisonError("unreadable_record", "the record has no value") }
    do throws(RecordError) {
      if record.topic == Topic.statusUpdates.name {
        let update = try StatusUpdate.decode(value)
        return Evidence(sendID: update.sendID, event: SendEvent(update))
      }
      let receipt = try DeliveryReceipt.decode(value)
      return Evidence(sendID: receipt.sendID, event: SendEvent(receipt))
    } catch {
      throw PoisonError("unreadable_record", "\(error)")
    }
  }
}
