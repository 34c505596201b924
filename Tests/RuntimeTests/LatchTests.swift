import Testing

@testable import Runtime

@Suite struct LatchTests {
  @Test func wakesEveryWaiterWithTheFirstValue() async {
    let latch = Latch<Int>()
    await withTaskGroup(of: Int?.self) { group in
      for _ in 0..<20 { group.addTask { await latch.wait() } }
      group.addTask {
        latch.set(1)
        latch.set(2)
        return 1
      }
      for await value in group { #expect(value == 1) }
    }
    #expect(await latch.wait() == 1)
  }

  @Test func aCancelledWaiterGetsNothing() async {
    let latch = Latch<Int>()
    let task = Task { await latch.wait() }
    task.cancel()
    #expect(await task.value == nil)
  }

  @Test func aTimeThatPassesSetsTheValueUnlessItIsCalledOffOrTooLate() async {
    let latch = Latch<Int>()
    let calledOff = latch.set(1, after: .seconds(3600))
    calledOff.cancel()
    await calledOff.value
    #expect(latch.value == nil)
    _ = latch.set(2, after: .milliseconds(1))
    #expect(await latch.wait() == 2)
    await latch.set(3, after: .zero).value
    #expect(latch.value == 2)
  }

  @Test func dequeKeepsOrderAcrossItsTwoHalves() {
    var deque = Deque<Int>()
    for value in 0..<10 { deque.append(value) }
    #expect(deque.popFirst(4) == [0, 1, 2, 3])
    for value in 10..<13 { deque.append(value) }
    deque.prepend(3)
    deque.filter { $0 != 11 }
    #expect(deque.count == 9)
    #expect(deque.removeAll() == [3, 4, 5, 6, 7, 8, 9, 10, 12])
    #expect(deque.isEmpty && deque.popFirst() == nil)
  }
}
