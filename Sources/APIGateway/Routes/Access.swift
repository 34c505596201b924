import CRMCore

/// Who may use an operation. Every route declares it; there is no default.
enum Access: Sendable, Hashable {
  /// Anybody, without a credential.
  case open
  /// Who signs the request by the webhook scheme, which the handler verifies.
  case webhook
  /// Anybody with a valid credential, whatever it is good for.
  case authenticated
  /// Whose role, and whose key where it is narrowed, has the scope.
  case scope(Scope)

  /// Whether a caller with these scopes may pass.
  func allows(_ scopes: Set<Scope>) -> Bool {
    switch self {
    case .open, .webhook, .authenticated: true
    case .scope(let scope): scopes.contains(scope)
    }
  }
}

/// What an operation changes or gives away: decides whether and how it is entered in the audit log.
enum Effect: Sendable, Hashable {
  /// It changes nothing that is kept: reading, counting, rendering.
  case nothing
  /// It changes nothing, and gives many things of this kind away as a file: entered like a change.
  case export(Resource)
  /// It changes one thing of this kind: the one that the path names by `:id`, or one that it makes.
  case change(Resource)
  /// It changes many things of this kind: one entry with the counts that the answer tells.
  case bulk(Resource)

  /// Whether everything that is kept stays as it is.
  var isRead: Bool {
    switch self {
    case .nothing, .export: true
    case .change, .bulk: false
    }
  }

  /// Kinds of things that change.
  enum Resource: String, CaseIterable, Sendable {
    case lead, order, segment, campaign, job, token
    case deadLetter = "dead_letter"
    case apiKey = "api_key"
  }
}
