import CRMCore
import CRMStore

/// Lets bulk requests of orders through one after the other, in the order in which they came.
///
/// Orders of one lead are spread over many requests, and transactions that change the same lead at once abort each other:
/// two requests side by side took twice as long as one after the other. One request by itself keeps MongoDB busy, since
/// its batches share no lead.
actor OrderLane {
  private var last: Task<Void, Never>?

  func apply(_ rows: [OrderInput], to store: Store) async throws -> [RowOutcome] {
    let before = last
    let turn = Task {
      await before?.value
      return try await store.applyOrders(rows)
    }
    last = Task { _ = await turn.result }
    return try await turn.value
  }
}
