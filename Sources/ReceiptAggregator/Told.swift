import CRMCore
import CRMMessaging
import Crypto
import Kafka

/// One thing that is known of a send: what a worker told, or what a vendor reported.
struct Told: Sendable {
  let sendID: UUIDBytes
  let event: SendEvent

  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> Told {
    guard let value = record.value else { throw PoisonError("unreadable_record", "the record has no value") }
    do throws(RecordError) {
      if record.topic == Topic.statusUpdates.name {
        let update = try StatusUpdate.decode(value)
        return Told(sendID: update.sendID, event: update.event())
      }
      let receipt = try DeliveryReceipt.decode(value)
      return Told(sendID: receipt.sendID, event: receipt.event)
    } catch {
      throw PoisonError("unreadable_record", "\(error)")
    }
  }
}
