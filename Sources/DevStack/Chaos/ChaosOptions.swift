/// What a chaos run does.
struct ChaosOptions: Sendable, Equatable {
  enum Mode: Sendable, Equatable {
    case scenarios
    /// Each seeded fault must be found.
    case selftest
    case list
  }

  var mode = Mode.scenarios
  var seed: UInt64
  var rounds = 3
  /// Names of scenarios; empty: the storm alone.
  var scenarios: [String] = []
  /// Leads of each campaign.
  var leads = 2000
  /// Seconds of a storm's round before it calms down.
  var stormSeconds = 30
  /// Failpoints that are armed; empty: all.
  var points: [String] = []
  /// Processes die of failpoints alone.
  var failpointsOnly = false
  /// Directory of the result files; nil writes none.
  var results: String?

  static let usage = """
    usage: devstack chaos [--seed N] [--rounds N] [--scenario NAME]… [--leads N] [--storm SECONDS] [--points A,B]
                          [--failpoints-only] [--results DIR] | --selftest [--seed N] | --list
    """

  /// - Throws: `StackError` saying what is wrong.
  init(_ arguments: some Sequence<String>) throws {
    seed = UInt64.random(in: 0...999_999_999)
    var rest = Array(arguments)[...]
    while let option = rest.popFirst() {
      if option == "--selftest" {
        mode = .selftest
        continue
      }
      if option == "--failpoints-only" {
        failpointsOnly = true
        continue
      }
      if option == "--list" {
        mode = .list
        continue
      }
      guard let value = rest.popFirst() else { throw StackError("\(option) needs a value\n\(Self.usage)") }
      func number<T: FixedWidthInteger>(_ range: ClosedRange<T>) throws -> T {
        guard let number = T(value), range.contains(number) else {
          throw StackError("\(option) \(value): expected a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
      }
      switch option {
      case "--seed": seed = try number(0...UInt64.max)
      case "--rounds": rounds = try number(1...10_000)
      case "--leads": leads = try number(100...100_000)
      case "--storm": stormSeconds = try number(1...3600)
      case "--points": points = value.split(separator: ",").map(String.init)
      case "--results": results = value
      case "--scenario":
        guard ChaosScenario.all.contains(where: { $0.name == value }) else {
          throw StackError("there is no scenario \(value); see devstack chaos --list")
        }
        scenarios.append(value)
      default: throw StackError("chaos knows no \(option)\n\(Self.usage)")
      }
    }
  }
}
