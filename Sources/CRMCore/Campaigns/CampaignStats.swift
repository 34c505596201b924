import BSON
import JSON

/// How many sends of a run are in each state. The states are disjoint, and together they are the audience.
///
/// The same type serves as a delta: a change of state takes one from a counter and gives one to another.
public struct CampaignStats: Sendable, Hashable {
  public var audience: Int64 = 0
  public var pending: Int64 = 0
  public var queued: Int64 = 0
  public var sending: Int64 = 0
  public var sent: Int64 = 0
  public var delivered: Int64 = 0
  public var read: Int64 = 0
  public var failed: Int64 = 0
  public var skipped: Int64 = 0
  public var unknown: Int64 = 0
  public var cancelled: Int64 = 0

  public init() {}

  /// The conservation law, which holds whenever they are read.
  public var isConserved: Bool {
    audience == pending + queued + sending + sent + delivered + read + failed + skipped + unknown + cancelled
  }

  /// Sends that the product still has to do something about; a campaign completes when there are none.
  public var inFlight: Int64 { pending + queued + sending }

  /// Sends for which a vendor was called, or may have been.
  public var attempted: Int64 { sent + delivered + read + failed + unknown }

  /// Share of the attempted sends that arrived: (delivered + read) / attempted. 0 when none was attempted.
  public var deliveryRate: Double { Self.share(delivered + read, of: attempted) }

  /// Share of the arrived messages that were read: read / (delivered + read).
  public var readRate: Double { Self.share(read, of: delivered + read) }

  /// Share of the attempted sends that failed: failed / attempted.
  public var failureRate: Double { Self.share(failed, of: attempted) }

  /// Share of the audience that is no longer in flight.
  public var progress: Double { Self.share(audience - inFlight, of: audience) }

  public subscript(status: SendStatus) -> Int64 {
    get {
      switch status {
      case .pending: pending
      case .queued: queued
      case .sending: sending
      case .skipped: skipped
      case .cancelled: cancelled
      case .unknown: unknown
      case .sent: sent
      case .failed: failed
      case .delivered: delivered
      case .read: read
      }
    }
    set {
      switch status {
      case .pending: pending = newValue
      case .queued: queued = newValue
      case .sending: sending = newValue
      case .skipped: skipped = newValue
      case .cancelled: cancelled = newValue
      case .unknown: unknown = newValue
      case .sent: sent = newValue
      case .failed: failed = newValue
      case .delivered: delivered = newValue
      case .read: read = newValue
      }
    }
  }

  /// Counts a send that went from one state to another.
  public mutating func move(from old: SendStatus, to new: SendStatus) {
    self[old] -= 1
    self[new] += 1
  }

  public static func += (left: inout CampaignStats, right: CampaignStats) {
    for counter in counterPaths { left[keyPath: counter.path] += right[keyPath: counter.path] }
  }

  public static func + (left: CampaignStats, right: CampaignStats) -> CampaignStats {
    var sum = left
    sum += right
    return sum
  }

  private static func share(_ part: Int64, of whole: Int64) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }

  private typealias Counter = WritableKeyPath<CampaignStats, Int64> & Sendable

  private static let counterPaths: [(name: String, path: Counter)] = [
    ("audience", \.audience), ("pending", \.pending), ("queued", \.queued), ("sending", \.sending), ("sent", \.sent),
    ("delivered", \.delivered), ("read", \.read), ("failed", \.failed), ("skipped", \.skipped),
    ("unknown", \.unknown), ("cancelled", \.cancelled),
  ]
}

extension CampaignStats {
  /// The counters' names in documents and in JSON, in the order in which they are shown.
  public static let counterNames: [String] = counterPaths.map(\.name)

  /// The counters with their names.
  public var counters: [(name: String, value: Int64)] {
    Self.counterPaths.map { ($0.name, self[keyPath: $0.path]) }
  }

  /// Adds to the counter of that name; another name changes nothing.
  public mutating func add(_ value: Int64, to name: String) {
    guard let counter = Self.counterPaths.first(where: { $0.name == name }) else { return }
    self[keyPath: counter.path] += value
  }

  /// Absent counters are 0.
  public init(bson: BSONDocument) {
    self.init()
    for name in Self.counterNames { add(bson[name]?.int64Value ?? 0, to: name) }
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 256)
    for (name, value) in counters { document.append(name, value) }
    return document
  }
}

extension CampaignStats: JSONRepresentable {
  /// The counters, then the rates.
  public var jsonValue: JSONValue {
    var object = JSONObject(counters.map { (key: $0.name, value: .int($0.value)) })
    object["in_flight"] = .int(inFlight)
    object["delivery_rate"] = .double(deliveryRate)
    object["read_rate"] = .double(readRate)
    object["failure_rate"] = .double(failureRate)
    object["progress"] = .double(progress)
    return .object(object)
  }
}
