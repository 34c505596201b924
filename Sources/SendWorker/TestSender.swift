import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Runtime
import ServiceHost

/// Makes test sends: once, at the first vendor that takes calls now, and under its limits. Whoever tries a campaign waits
/// for an answer, so nothing is put off or tried again: what cannot be sent now has failed, and says why.
struct TestSender: Sendable {
  typealias Item = Incoming<SendJob>

  private let store: Store
  private let roster: VendorRoster
  private let teller: OutcomeTeller
  private let stopping: Latch<Void>

  init(store: Store, roster: VendorRoster, teller: OutcomeTeller, stopping: Latch<Void>) {
    self.store = store
    self.roster = roster
    self.teller = teller
    self.stopping = stopping
  }

  /// A claimed test whose worker dies before it is told stays SENDING: nobody calls again.
  ///
  /// - Throws: errors of the store, before the claim.
  func send(_ item: Item) async throws {
    guard try await store.claimTestSend(item.message.sendID) else { return }
    guard let line = roster.lines(of: item.message.channel).first(where: { $0.admit(1).admitted == 1 }) else {
      return await tell(item, "vendor_unavailable", "no vendor of the channel takes calls at this moment")
    }
    do {
      guard case .go(_, let wait, _) = try await line.turn(1) else {
        line.abandon(1)
        return await tell(item, "rate_limited", "the vendor's rate limit is used up at this moment")
      }
      try await stopping.pause(wait)
    } catch {
      line.abandon(1)
      return await tell(item, "not_called", "the worker stopped or could not reach its database before the call")
    }
    switch await line.call(item.message, mayStill: { stopping.value == nil }) {
    case .accepted(let id):
      await teller.tell(item, .sent, vendor: line.vendor.name, vendorMessageID: id, nil)
    case .rejected(let errorClass, let message), .notTaken(let errorClass, let message, _):
      await tell(item, errorClass, message, vendor: line.vendor.name)
    case .ambiguous(let errorClass, let message):
      await teller.tell(
        item, .unknown, vendor: line.vendor.name, SendError(errorClass: errorClass, message: message))
    case nil:
      await tell(item, "not_called", "the worker stopped before the call")
    }
  }

  private func tell(
    _ item: Item, _ errorClass: String, _ message: String, vendor: String = StatusUpdate.noVendor
  ) async {
    await teller.tell(item, .failed, vendor: vendor, SendError(errorClass: errorClass, message: message))
  }
}
