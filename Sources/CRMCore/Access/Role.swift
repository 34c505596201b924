/// What a person or a program is in this product. A role is a set of scopes; a key may be narrowed to some of them.
public enum Role: String, CaseIterable, Sendable, Hashable {
  case admin, marketer, analyst, viewer

  public var scopes: Set<Scope> {
    switch self {
    case .viewer: [.leadsRead, .segmentsRead, .campaignsRead, .statusRead]
    case .analyst: Role.viewer.scopes.union([.leadsExport, .segmentsWrite, .deadLettersRead])
    case .marketer: Role.analyst.scopes.union([.leadsWrite, .campaignsWrite, .campaignsRun])
    case .admin: Set(Scope.allCases)
    }
  }
}
