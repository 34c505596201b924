import CRMCore
import CRMStore
import HTTP
import Runtime
import ServiceHost

/// The vendors of every channel, in the order in which they are tried.
struct VendorRoster: Sendable {
  let vendors: [any Vendor]
  private let lines: [Channel: [VendorLine]]
  private let policies: [Channel: SendPolicy]

  init(_ vendors: [any Vendor], store: Store, settings: Settings) {
    self.vendors = vendors
    var lines: [Channel: [VendorLine]] = [:]
    var policies: [Channel: SendPolicy] = [:]
    for channel in Channel.allCases {
      let serving = vendors.filter { $0.terms.channels.contains(channel) }
      lines[channel] = serving.map { vendor in
        VendorLine(
          vendor: vendor, channel: channel,
          concurrency: vendor.terms.concurrency(general: settings[CRMSettings.sendConcurrency]),
          perMinute: vendor.terms.perMinute(on: channel, general: settings[CRMSettings.rateLimit]), store: store)
      }
      policies[channel] = SendPolicy(
        maxAttempts: Int32(settings[CRMSettings.maxAttempts]), vendors: serving.map { ($0.name, $0.terms.keys) })
    }
    self.lines = lines
    self.policies = policies
  }

  /// At least one: the settings are refused otherwise.
  func lines(of channel: Channel) -> [VendorLine] { lines[channel] ?? [] }

  func policy(of channel: Channel) -> SendPolicy {
    policies[channel] ?? SendPolicy(maxAttempts: 1, vendors: [])
  }

  func vendor(named name: String) -> (any Vendor)? { vendors.first { $0.name == name } }

  /// What the settings say: the entries of `VENDORS`, or the one simulator.
  static func terms(_ settings: Settings) throws -> [VendorTerms] {
    let entries = settings[CRMSettings.vendors]
    if !entries.isEmpty { return try entries.map { try VendorTerms(parsing: $0) } }
    let lifetime = Duration.seconds(settings[CRMSettings.vendorKeyLifetime])
    return [
      VendorTerms(
        name: "simulator", url: settings[CRMSettings.vendorURL],
        keys: settings[CRMSettings.vendorHonoursKeys] ? .honoured(lifetime) : .none,
        canBeAsked: settings[CRMSettings.vendorCanBeAsked])
    ]
  }
}
