/// A way to reach a lead.
public enum Channel: String, CaseIterable, Sendable {
  case whatsapp
  case sms
  case email
}
