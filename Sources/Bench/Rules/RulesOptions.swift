/// What of the rules is measured.
struct RulesOptions: Sendable {
  /// Leads in memory.
  var decodedLeads = 200_000
  /// Leads in the database; 0: the database is left out.
  var leads = 1_000_000
  /// Counts of each rule.
  var rounds = 15
  var results = "bench/results"

  static let usage = """
    usage: minicrm-bench rules [--leads N] [--rounds N] [--results DIR]

      --leads N       leads in the database (1000000; N in the environment); 0 leaves the database out
      --rounds N      counts of each rule, by the product and by hand in turn (15)
      --results DIR   where the result file goes (bench/results)

    A MongoDB of its own is started below $STACK_DIR (.stack) and taken away at the end, unless MONGODB_URI names one.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String], _ environment: [String: String]) throws {
    if let text = environment["N"], !text.isEmpty { leads = try Options.count(text, "N", 0...20_000_000) }
    var rest = arguments[...]
    while let option = rest.popFirst() {
      func value() throws -> String {
        guard let value = rest.popFirst() else { throw BenchError("\(option) needs a value") }
        return value
      }
      switch option {
      case "--leads": leads = try Options.count(value(), option, 0...20_000_000)
      case "--rounds": rounds = try Options.count(value(), option, 10...1_000)
      case "--results": results = try value()
      case "--help", "-h", "help": return nil
      default: throw BenchError("unknown option \(option); see minicrm-bench rules --help")
      }
    }
  }
}
