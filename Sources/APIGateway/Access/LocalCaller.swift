import HTTP

/// Whether a request comes from a program of this machine that means it, where nobody is asked who he is.
///
/// Listening on a loopback address keeps other machines out, but not the pages in this machine's browser: they can send
/// requests here, and a name that resolves to 127.0.0.1 makes a page's own address of this one (DNS rebinding).
struct LocalCaller: Sendable {
  /// Origins that browsers may call from.
  let origins: Set<String>

  /// Why a request is refused; nil when it is not.
  func objection(to request: HTTPRequest) -> String? {
    if let host = request.headers["Host"], !LocalCaller.isLoopback(host) {
      return "AUTH_MODE is off: only requests to a loopback address are answered."
    }
    guard let origin = request.headers["Origin"], !origins.contains(origin), !origins.contains("*") else { return nil }
    let authority = origin.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last.map(String.init)
    guard let authority, let host = request.headers["Host"], authority == host else {
      return "AUTH_MODE is off: pages of other origins are not answered."
    }
    return nil
  }

  /// Whether an authority, with its port or without, names this machine alone.
  static func isLoopback(_ authority: String) -> Bool {
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return false }
      return AccessSettings.isLoopback(String(authority[authority.index(after: authority.startIndex)..<end]))
    }
    return AccessSettings.isLoopback(String(authority.prefix { $0 != ":" }))
  }
}
