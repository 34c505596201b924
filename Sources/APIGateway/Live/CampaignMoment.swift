import CRMCore
import CRMStore
import Crypto
import JSON

/// What a campaign is like at one moment, as a server-sent event.
///
/// The event's id is a digest of what it says. It names the state, not a place in some process's memory, so that every
/// replica, and a gateway that has been started again, knows whether a client that comes back has seen it.
struct CampaignMoment: Sendable {
  static let eventName = "stats"

  let id: String
  /// The whole event, its empty line included.
  let event: [UInt8]
  /// The campaign has ended: only another launch changes its status.
  let isFinal: Bool

  init(_ found: CampaignRunStats) {
    let data = found.jsonValue.encoded()
    id = hexString(SHA256.digest(data).prefix(12))
    event = Array("id: \(id)\nevent: \(CampaignMoment.eventName)\ndata: ".utf8) + data + Array("\n\n".utf8)
    isFinal = found.campaign.status.isFinal
  }
}
