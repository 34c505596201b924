/// Which media types a client takes, by its `Accept` (RFC 9110, section 12.5.1).
struct AcceptedTypes: Sendable {
  private struct Range {
    /// `*/*`, `text/*` or `text/csv`, in lower case.
    let name: String
    let isExcluded: Bool
  }

  private let ranges: [Range]

  /// - Parameter headers: the values of all `Accept` headers. Elements that cannot be read are passed over; where nothing is
  ///   left, everything is taken.
  init(_ headers: [String]) {
    ranges = headers.flatMap { $0.lowercased().split(separator: ",") }.compactMap(AcceptedTypes.range)
  }

  private static func range(_ text: Substring) -> Range? {
    let parts = text.split(separator: ";").map { String($0.filter { $0 != " " && $0 != "\t" }) }
    guard let name = parts.first, name.split(separator: "/", omittingEmptySubsequences: false).count == 2,
      !name.hasPrefix("/"), !name.hasSuffix("/")
    else { return nil }
    let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 1 } ?? 1
    return Range(name: name, isExcluded: weight <= 0)
  }

  /// Whether a type is taken: the range that names it most closely decides.
  func allows(_ type: String) -> Bool {
    guard !ranges.isEmpty else { return true }
    let family = type.prefix { $0 != "/" } + "/*"
    for name in [type, String(family), "*/*"] {
      if let range = ranges.first(where: { $0.name == name }) { return !range.isExcluded }
    }
    return false
  }
}
