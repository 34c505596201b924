import Foundation

/// Measures the whole product from outside: real processes, servers and sockets, the load from this process.
@main
struct Bench {
  static func main() async {
    // A reader that goes away (`make bench | head`) must not end us before what was started is stopped.
    signal(SIGPIPE, SIG_IGN)
    let console = Console()
    let arguments = Array(CommandLine.arguments.dropFirst())
    let environment = ProcessInfo.processInfo.environment
    do {
      if arguments.first == "rules" {
        guard let options = try RulesOptions(Array(arguments.dropFirst()), environment) else {
          console.line(RulesOptions.usage)
          exit(0)
        }
        try await RulesBenchmark(options: options, environment: environment, console: console).run()
        exit(0)
      }
      if arguments.first == "idle" {
        guard let options = try IdleOptions(Array(arguments.dropFirst())) else {
          console.line(IdleOptions.usage)
          exit(0)
        }
        let stack = BenchStack(environment: environment, console: console)
        let isRight = try await IdleBenchmark(options: options, stack: stack, console: console).run()
        exit(isRight ? 0 : 1)
      }
      if arguments.first == "bulk" {
        guard let options = try BulkOptions(Array(arguments.dropFirst()), environment) else {
          console.line(BulkOptions.usage)
          exit(0)
        }
        let stack = BenchStack(environment: environment, console: console)
        exit(try await BulkBenchmark(options: options, stack: stack, console: console).run() ? 0 : 1)
      }
      if arguments.first == "import" {
        guard let options = try ImportOptions(Array(arguments.dropFirst())) else {
          console.line(ImportOptions.usage)
          exit(0)
        }
        let stack = BenchStack(environment: environment, console: console)
        exit(try await ImportBenchmark(options: options, stack: stack, console: console).run() ? 0 : 1)
      }
      guard let options = try Options(arguments, environment) else {
        console.line(Options.usage)
        exit(0)
      }
      let stack = BenchStack(environment: environment, console: console)
      let isRight = try await Benchmark(options: options, stack: stack, console: console).run()
      exit(isRight ? 0 : 1)
    } catch is CancellationError {
      console.progress("interrupted; what was started is stopped")
      exit(130)
    } catch {
      console.progress("bench: \(error)")
      exit(1)
    }
  }
}
