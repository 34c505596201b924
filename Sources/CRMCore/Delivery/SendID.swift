import BSON
import Crypto

/// The identity of a send: the same run, lead and channel always have the same id, so that a send cannot be made twice.
public enum SendID {
  /// The fixed namespace of the name-based UUIDs (RFC 9562, version 5). Changing it would make every send a new one.
  public static let namespace = UUIDBytes(high: 0x8d5f_2c1e_6b7a_4f03, low: 0x9c41_e2a7_50d3_b896)

  /// UUIDv5 of `<run id>/<lead id>/<channel>`.
  public static func make(run: UUIDBytes, lead: ObjectID, channel: Channel) -> UUIDBytes {
    UUIDBytes(v5: "\(run.string)/\(lead.hex)/\(channel.rawValue)", namespace: namespace)
  }
}
