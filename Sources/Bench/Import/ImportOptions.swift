/// What of imports is measured.
struct ImportOptions: Sendable {
  var rows = 1_000_000

  static let usage = """
    usage: minicrm-bench import [--rows N]

      --rows N   rows of the file (1000000)

    A file is imported by POST /api/v1/leads/import into a stack of its own, as for the other figures; then the same
    documents are inserted as they are, which is the floor. The exit code is 0 when every number adds up.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String]) throws {
    let isComplete = try Options.read(arguments, of: "minicrm-bench import") { option, value throws in
      guard option == "--rows" else { return false }
      rows = try Options.count(value(), option, 1000...10_000_000)
      return true
    }
    if !isComplete { return nil }
  }
}
