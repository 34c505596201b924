/// How one vendor is reached, and what it promises: an entry of the setting `VENDORS`.
///
/// `name=url`, with what differs from the defaults as query parameters of the URL:
/// `backup=http://sms.example/api?keys=false&channels=sms|email&rate=600`.
public struct VendorTerms: Sendable, Equatable {
  public var name: String
  /// Without its query.
  public var url: String
  public var keys: KeyPromise
  /// Whether it can be asked which messages a send id made.
  public var canBeAsked: Bool
  /// The channels it serves.
  public var channels: [Channel]
  /// Messages a minute on each channel, over all replicas; 0 is no limit. Nil: what the setting for all vendors says.
  public var perMinute: Int?
  /// Calls that one worker has in flight on each channel. Nil: what the setting for all vendors says.
  public var concurrency: Int?
  /// It delivers to real people. Then it has limits though nobody has set any: 30 messages a minute on WhatsApp, and 5
  /// calls at once on each channel.
  public var isLive: Bool

  public static let liveWhatsAppPerMinute = 30
  public static let liveConcurrency = 5

  public init(
    name: String, url: String, keys: KeyPromise = .honoured(.seconds(86_400)), canBeAsked: Bool = true,
    channels: [Channel] = Channel.allCases, perMinute: Int? = nil, concurrency: Int? = nil, isLive: Bool = false
  ) {
    self.name = name
    self.url = url
    self.keys = keys
    self.canBeAsked = canBeAsked
    self.channels = channels
    self.perMinute = perMinute
    self.concurrency = concurrency
    self.isLive = isLive
  }

  /// Messages a minute on a channel; 0 is no limit.
  ///
  /// - Parameter general: the limit of vendors that have none of their own.
  public func perMinute(on channel: Channel, general: Int) -> Int {
    if let perMinute { return perMinute }
    return general == 0 && isLive && channel == .whatsapp ? Self.liveWhatsAppPerMinute : general
  }

  /// Calls in flight on a channel.
  ///
  /// - Parameter general: the limit of vendors that have none of their own and are not live.
  public func concurrency(general: Int) -> Int {
    concurrency ?? (isLive ? min(general, Self.liveConcurrency) : general)
  }

  /// Why an entry cannot be used.
  public struct Malformed: Error, Equatable, CustomStringConvertible {
    public let description: String
  }

  /// Reads one entry.
  ///
  /// - Throws: `Malformed`, saying which part is wrong.
  public init(parsing text: String) throws(Malformed) {
    guard let equals = text.firstIndex(of: "=") else {
      throw Malformed(description: "\"\(text)\": expected name=url")
    }
    let name = text[..<equals]
    let isName = name.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
        || [UInt8(ascii: "-"), UInt8(ascii: "_")].contains(byte)
    }
    guard isName, (1...40).contains(name.count), name != StatusUpdate.noVendor else {
      throw Malformed(description: "\"\(name)\": a vendor's name is 1–40 of a–z, 0–9, - and _, and not \"none\"")
    }
    let parts = text[text.index(after: equals)...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let url = String(parts[0])
    guard ["http://", "https://"].contains(where: { url.hasPrefix($0) && url.utf8.count > $0.utf8.count }) else {
      throw Malformed(description: "\(name): expected a URL beginning with http:// or https://")
    }
    self.init(name: String(name), url: url)
    guard parts.count == 2 else { return }
    var lifetime = 86_400
    var honoursKeys = true
    for parameter in parts[1].split(separator: "&") {
      let pair = parameter.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { throw Malformed(description: "\(name): \(parameter) has no value") }
      switch pair[0] {
      case "keys": honoursKeys = try Self.flag(pair, of: name)
      case "key_lifetime_s": lifetime = try Self.number(pair, 1...31_536_000, of: name)
      case "ask": canBeAsked = try Self.flag(pair, of: name)
      case "live": isLive = try Self.flag(pair, of: name)
      case "rate": perMinute = try Self.number(pair, 0...10_000_000, of: name)
      case "concurrency": concurrency = try Self.number(pair, 1...4096, of: name)
      case "channels":
        channels = []
        for word in pair[1].split(separator: "|") {
          guard let channel = Channel(rawValue: String(word)) else {
            throw Malformed(description: "\(name): \(word) is not a channel")
          }
          channels.append(channel)
        }
      default: throw Malformed(description: "\(name): \(pair[0]) is not a known parameter")
      }
    }
    keys = honoursKeys ? .honoured(.seconds(lifetime)) : .none
  }

  private static func flag(_ pair: [String], of name: Substring) throws(Malformed) -> Bool {
    switch pair[1] {
    case "true": return true
    case "false": return false
    default: throw Malformed(description: "\(name): \(pair[0]) must be true or false")
    }
  }

  private static func number(
    _ pair: [String], _ range: ClosedRange<Int>, of name: Substring
  ) throws(Malformed) -> Int {
    guard let number = Int(pair[1]), range.contains(number) else {
      throw Malformed(description: "\(name): \(pair[0]) must be \(range.lowerBound)–\(range.upperBound)")
    }
    return number
  }
}
