import BSON
import CivilTime
import JSON

/// A lead as a client sends it, checked and normalised. Nil means: not given.
public struct LeadInput: Sendable, Equatable {
  /// Addresses of one lead, those included that earlier imports gave it.
  public static let mostEmails = 50

  public var name: String?
  /// Empty only when a partial input did not give any.
  public var emails: [String]
  public var phones: [String]?
  public var tags: [String]?
  public var totalSpend: Double?
  public var visits: Int64?
  public var lastOrderAt: Timestamp?
  public var metadata: BSONDocument?
  public var optedOut: [Channel: Timestamp]?

  public init(
    name: String? = nil, emails: [String] = [], phones: [String]? = nil, tags: [String]? = nil,
    totalSpend: Double? = nil, visits: Int64? = nil, lastOrderAt: Timestamp? = nil, metadata: BSONDocument? = nil,
    optedOut: [Channel: Timestamp]? = nil
  ) {
    self.name = name
    self.emails = emails
    self.phones = phones
    self.tags = tags
    self.totalSpend = totalSpend
    self.visits = visits
    self.lastOrderAt = lastOrderAt
    self.metadata = metadata
    self.optedOut = optedOut
  }

  public enum Requirement: Sendable {
    /// A name and an e-mail address must be given.
    case whole
    /// Any fields may be left out (`PATCH`).
    case partial
  }

  /// Checks and normalises, reporting every bad field below `path`.
  public static func decode(
    _ json: JSONValue, path: String = "", requiring requirement: Requirement = .whole
  ) -> Result<LeadInput, ValidationError> {
    let whole = requirement == .whole
    var reader = ObjectReader(json, path: path)
    var input = LeadInput()
    input.name = reader.string("name", required: whole, length: 1...200)
    input.emails = reader.strings("emails", required: whole, count: 1...mostEmails, EmailAddress.normalise) ?? []
    input.phones = reader.strings("phones", count: 0...50, PhoneNumber.normalise)
    input.tags = reader.strings("tags", count: 0...100, normaliseTag)
    input.totalSpend = reader.number("total_spend", in: 0...Money.largest)
    input.visits = reader.integer("visits", in: 0...1_000_000_000)
    input.lastOrderAt = reader.timestamp("last_order_at")
    if let metadata = reader.value("metadata") {
      switch Metadata.decode(metadata, path: reader.path(of: "metadata")) {
      case .success(let document): input.metadata = document
      case .failure(let error): reader.reject(contentsOf: error.errors)
      }
    }
    input.optedOut = reader.nested("opted_out") { nested in
      var channels: [Channel: Timestamp] = [:]
      for channel in Channel.allCases { channels[channel] = nested.timestamp(channel.rawValue) }
      return channels
    }
    return reader.result { input }
  }

  private static func normaliseTag(_ text: String) -> Result<String, FieldProblem> {
    let tag = text.trimmed
    return Text.lengthProblem(tag, 1...100).map { .failure($0) } ?? .success(tag)
  }
}

/// Amounts of money in inputs.
enum Money {
  /// Sums of a thousand of these are still exact to a cent.
  static let largest = 1e12
}
