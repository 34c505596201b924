/// What of bulk requests is measured.
struct BulkOptions: Sendable {
  /// Leads of a round.
  var leads = 100_000
  var rounds = 5
  var profiles = false

  static let usage = """
    usage: minicrm-bench bulk [--leads N] [--rounds N] [--profile]

      --leads N    new leads of a round (100000)
      --rounds N   rounds (5)
      --profile    sample the processes with perf (PROFILE=1 in the environment)

    A round stores new leads by POST /api/v1/leads/bulk and then inserts the same documents as they are, into a collection
    that has grown as much. The figures are those of the median round, by leads a second. The exit code is 0 when every
    number adds up.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String], _ environment: [String: String]) throws {
    profiles = !["", "0"].contains(environment["PROFILE"] ?? "")
    let isComplete = try Options.read(arguments, of: "minicrm-bench bulk") { option, value throws in
      switch option {
      case "--leads": leads = try Options.count(value(), option, 1000...10_000_000)
      case "--rounds": rounds = try Options.count(value(), option, 1...100)
      case "--profile": profiles = true
      default: return false
      }
      return true
    }
    if !isComplete { return nil }
  }
}
