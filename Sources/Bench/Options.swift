/// What is measured, and how much of it.
struct Options: Sendable {
  /// Leads, and so messages.
  var leads = 100_000
  var receipts = 20_000
  /// Requests in flight, each on a connection of its own, when receipts are sent.
  var receiptConnections = 96
  /// Directory of the result files.
  var results = "bench/results"
  /// Whether the processes are sampled by `perf` meanwhile. It costs some speed, and the result says so.
  var profiles = false

  static let usage = """
    usage: minicrm-bench [--leads N] [--receipts N] [--connections N] [--results DIR] [--profile]

      --leads N         leads that are imported and get a message each (100000; N in the environment)
      --receipts N      receipts that are sent one a request (20000; at most the messages that are delivered)
      --connections N   connections that receipts are sent on (96)
      --results DIR     where the result file goes (bench/results)
      --profile         sample the processes with perf (PROFILE=1 in the environment)

    A stack of its own is started in $STACK_DIR/bench (.stack/bench) and stopped at the end. MONGODB_URI, KAFKA_BROKERS,
    KAFKA_HOME, replicas and every setting of the processes are taken from the environment, as by devstack.
    The exit code is 0 when every number adds up.

    minicrm-bench bulk --help, rules --help, idle --help and import --help tell how bulk requests by themselves, rules, idle
    connections and imports of files are measured.
    """

  /// - Returns: nil when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  init?(_ arguments: [String], _ environment: [String: String]) throws {
    if let text = environment["N"], !text.isEmpty { leads = try Self.count(text, "N", 1000...10_000_000) }
    profiles = !["", "0"].contains(environment["PROFILE"] ?? "")
    let isComplete = try Self.read(arguments, of: "minicrm-bench") { option, value throws in
      switch option {
      case "--leads": leads = try Self.count(value(), option, 1000...10_000_000)
      case "--receipts": receipts = try Self.count(value(), option, 100...10_000_000)
      case "--connections": receiptConnections = try Self.count(value(), option, 1...1000)
      case "--results": results = try value()
      case "--profile": profiles = true
      default: return false
      }
      return true
    }
    if !isComplete { return nil }
  }

  /// Reads a command's options in their order.
  ///
  /// - Parameter set: takes an option, and its value if it has one; false when there is no such option.
  /// - Returns: false when help was asked for.
  /// - Throws: `BenchError` naming what is wrong.
  static func read(
    _ arguments: [String], of command: String, _ set: (_ option: String, _ value: () throws -> String) throws -> Bool
  ) throws -> Bool {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      if ["--help", "-h", "help"].contains(option) { return false }
      let isKnown = try set(option) {
        guard let value = rest.popFirst() else { throw BenchError("\(option) needs a value") }
        return value
      }
      guard isKnown else { throw BenchError("unknown option \(option); see \(command) --help") }
    }
    return true
  }

  /// A number of a range.
  ///
  /// - Throws: `BenchError` naming the option and the range.
  static func count(_ text: String, _ name: String, _ range: ClosedRange<Int>) throws -> Int {
    guard let count = Int(text), range.contains(count) else {
      throw BenchError("\(name) is \(text): expected a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return count
  }
}
