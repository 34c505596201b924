/// What of the rules is measured.
struct RulesOptions: Sendable {
  /// Leads in memory.
  var decodedLeads = 200_000
  /// Leads in the database; 0: the database is left out.
  var leads = 1_000_000
  /// Orders in the database, of which rules about orders are asked; 0: they are left out.
  var orders = 0
  /// Rows inserted for each index whose cost is measured; 0: none is.
  var indexRows = 0
  /// Counts of each rule.
  var rounds = 15
  var results = "bench/results"

  static let usage = """
    usage: minicrm-bench rules [--leads N] [--orders N] [--index-rows N] [--rounds N] [--results DIR]

      --leads N        leads in the database (1000000; N in the environment); 0 leaves the database out
      --orders N       orders of these leads, and rules about them (0)
      --index-rows N   rows inserted with and without each index of leads, orders and messages (0)
      --rounds N       counts of each rule, by the product and by hand in turn (15)
      --results DIR    where the result file goes (bench/results)

    A MongoDB of its own is started below $STACK_DIR (.stack) and taken away at the end, unless MONGODB_URI names one.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String], _ environment: [String: String]) throws {
    if let text = environment["N"], !text.isEmpty { leads = try Options.count(text, "N", 0...20_000_000) }
    let isComplete = try Options.read(arguments, of: "minicrm-bench rules") { option, value throws in
      switch option {
      case "--leads": leads = try Options.count(value(), option, 0...20_000_000)
      case "--orders": orders = try Options.count(value(), option, 0...50_000_000)
      case "--index-rows": indexRows = try Options.count(value(), option, 0...5_000_000)
      case "--rounds": rounds = try Options.count(value(), option, 10...1_000)
      case "--results": results = try value()
      default: return false
      }
      return true
    }
    if !isComplete { return nil }
  }
}
