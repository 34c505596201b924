/// A way to reach a lead.
public enum Channel: String, CaseIterable, Sendable {
  case whatsapp
  case sms
  case email

  /// Whether a normalised address is one of this channel: a telephone number in E.164, or an e-mail address.
  public func takes(_ address: String) -> Bool { address.utf8.contains(UInt8(ascii: "@")) == (self == .email) }
}
