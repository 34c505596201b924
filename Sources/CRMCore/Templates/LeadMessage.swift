/// What a campaign has for one lead: a message and where it goes, or the reason why there is none.
public enum LeadMessage: Sendable, Hashable {
  case send(to: String, message: String)
  case skip(reason: String)

  /// A lead who opted out of the channel, has no address for it, or lacks a value of the template is skipped.
  ///
  /// - Parameter zone: in which the template's times are shown.
  public init(_ template: MessageTemplate, for lead: Lead, channel: Channel, in zone: CalendarZone) {
    guard lead.optedOut[channel] == nil else {
      self = .skip(reason: "opted out of \(channel.rawValue)")
      return
    }
    guard let address = lead.address(for: channel) else {
      self = .skip(reason: "no address for \(channel.rawValue)")
      return
    }
    switch template.render(lead, in: zone) {
    case .message(let text): self = .send(to: address, message: text)
    case .skipped(let reason): self = .skip(reason: reason)
    }
  }
}
