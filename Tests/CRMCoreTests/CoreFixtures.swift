import BSON
import CRMCore
import CivilTime
import Crypto
import JSON

/// A small deterministic generator, so that a failure can be repeated.
struct CoreRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

enum Fixture {
  static let leadID = ObjectID(hex: "65f0a1b2c3d4e5f601234567")!
  static let campaignID = ObjectID(hex: "65f0a1b2c3d4e5f6aaaaaaaa")!
  static let segmentID = ObjectID(hex: "65f0a1b2c3d4e5f6bbbbbbbb")!
  static let runID = UUIDBytes("0b4c2d1e-1111-4222-8333-444455556666")!
  static let sendID = UUIDBytes("5f0e2f5c-7d3a-5b1e-9c4d-2a1b3c4d5e6f")!
  /// 2026-03-31T10:30:00.000Z
  static let now = Timestamp(rfc3339: "2026-03-31T10:30:00Z")!

  static func lead(
    name: String = "John Doe", emails: [String] = ["john@example.com"], phones: [String] = ["+14155550123"],
    tags: [String] = ["vip"], totalSpend: Double = 1234.5, visits: Int64 = 7, lastOrderAt: Timestamp? = now,
    metadata: BSONDocument = ["city": "Berlin"], optedOut: [Channel: Timestamp] = [:]
  ) -> Lead {
    Lead(
      id: leadID, name: name, emails: emails, phones: phones, tags: tags, totalSpend: totalSpend, visits: visits,
      lastOrderAt: lastOrderAt, metadata: metadata, optedOut: optedOut, createdAt: now.advanced(by: .seconds(-3600)),
      updatedAt: now.advanced(by: .seconds(-60)))
  }

  static func campaign(status: CampaignStatus = .draft, template: String = "Hi {{ name }}") -> Campaign {
    Campaign(
      id: campaignID, name: "Spring", segmentID: segmentID, messageTemplate: template, channel: .whatsapp,
      createdBy: "ann", status: status, createdAt: now, updatedAt: now)
  }

  static func segment() -> Segment {
    Segment(
      id: segmentID, name: "Big spenders",
      rule: ["type": "condition", "field": "total_spend", "operator": ">", "value": 100], createdAt: now,
      updatedAt: now)
  }
}

extension Result where Failure == ValidationError {
  /// `field code` of each error, sorted; empty on success.
  var problems: [String] {
    guard case .failure(let error) = self else { return [] }
    return error.errors.map { "\($0.field) \($0.code)" }.sorted()
  }
}
