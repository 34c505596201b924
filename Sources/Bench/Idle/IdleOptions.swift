/// How many connections do nothing, and how many requests are measured beside them.
struct IdleOptions: Sendable {
  var connections = 5000
  var requests = 4000
  var rounds = 11

  static let usage = """
    usage: minicrm-bench idle [--connections N] [--requests N] [--rounds N]

      --connections N   connections that are served once and then do nothing (5000)
      --requests N      requests of each kind that are measured, without them and beside them (4000)
      --rounds N        rounds of one and the other (11)

    A stack of its own is started, as for the other figures. One p99 is mostly the machine's mood: the rounds' median
    counts, and beside it stands by how much the p99 without them changes from round to round. The exit code is 0 when no
    idle connection was closed.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String]) throws {
    let isComplete = try Options.read(arguments, of: "minicrm-bench idle") { option, value throws in
      switch option {
      // The gateway takes 10,000 connections.
      case "--connections": connections = try Options.count(value(), option, 1...9000)
      case "--rounds": rounds = try Options.count(value(), option, 1...100)
      case "--requests": requests = try Options.count(value(), option, 100...1_000_000)
      default: return false
      }
      return true
    }
    if !isComplete { return nil }
  }
}
