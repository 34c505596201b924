import CRdKafka
import Testing

@testable import Kafka

@Suite struct DeliveryTableTests {
  private let delivered = Delivery(code: 0, partition: 2, offset: 9)

  @Test func theWaiterGetsEveryOutcomeWithTheLastReport() {
    var table = DeliveryTable<String>()
    let batch = table.open(count: 2)
    #expect(table.wait(for: batch, "waiter") == nil)
    #expect(table.settle(DeliveryID(batch: batch, index: 1), .failed(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)) == nil)
    let finished = table.settle(DeliveryID(batch: batch, index: 0), delivered)
    #expect(finished?.waiter == "waiter")
    #expect(finished?.deliveries == [delivered, .failed(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)])
    #expect(table.count == 0)
  }

  @Test func reportsThatComeBeforeTheWaiterAreKept() {
    var table = DeliveryTable<String>()
    let batch = table.open(count: 1)
    #expect(table.settle(DeliveryID(batch: batch, index: 0), delivered) == nil)
    #expect(table.wait(for: batch, "waiter") == [delivered])
    #expect(table.count == 0)
  }

  @Test func aSecondReportAndUnknownIdsAreIgnored() {
    var table = DeliveryTable<String>()
    let batch = table.open(count: 2)
    #expect(table.settle(DeliveryID(batch: batch, index: 0), delivered) == nil)
    #expect(table.settle(DeliveryID(batch: batch, index: 0), .failed(RD_KAFKA_RESP_ERR__FAIL)) == nil)
    #expect(table.settle(DeliveryID(batch: batch, index: 5), delivered) == nil)
    #expect(table.settle(DeliveryID(batch: batch + 1, index: 0), delivered) == nil)
    #expect(table.wait(for: batch, "waiter") == nil)
    #expect(table.settle(DeliveryID(batch: batch, index: 1), delivered)?.deliveries == [delivered, delivered])
  }

  @Test func closingSettlesWhatIsLeft() {
    var table = DeliveryTable<String>()
    let first = table.open(count: 2)
    let second = table.open(count: 1)
    #expect(table.settle(DeliveryID(batch: first, index: 0), delivered) == nil)
    #expect(table.wait(for: first, "first") == nil)
    let closed = Delivery.failed(RD_KAFKA_RESP_ERR__DESTROY)
    let finished = table.settleAll(closed)
    #expect(finished.map(\.waiter) == ["first"] && finished.map(\.deliveries) == [[delivered, closed]])
    #expect(table.wait(for: second, "second") == [closed])
  }

  @Test func idsCarryBatchAndPlace() {
    let id = DeliveryID(batch: 1 << 40, index: DeliveryID.maxBatch - 1)
    #expect(id.batch == 1 << 40 && id.index == DeliveryID.maxBatch - 1)
  }
}
