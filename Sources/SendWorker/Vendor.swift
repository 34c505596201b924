import CRMCore
import Crypto

/// A messaging vendor.
protocol Vendor: Sendable {
  /// How it is reached, and what it promises.
  var terms: VendorTerms { get }
  /// Makes one call; never throws: every failure is an outcome. Bounded by the vendor's time-out.
  func send(_ job: SendJob) async -> VendorOutcome
  /// Asks which messages a send id made. Bounded like a call.
  func ask(_ sendID: UUIDBytes) async -> VendorAnswer
  /// Whether the vendor answers at all.
  func heartbeat() async -> Bool
}

extension Vendor {
  var name: String { terms.name }
}
