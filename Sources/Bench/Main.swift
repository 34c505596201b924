import Foundation

/// Measures the whole product from outside: real processes, servers and sockets, the load from this process.
@main
struct Bench {
  static func main() async {
    // A reader that goes away (`make bench | head`) must not end us before what was started is stopped.
    signal(SIGPIPE, SIG_IGN)
    let console = Console()
    do {
      guard let options = try Options(Array(CommandLine.arguments.dropFirst()), ProcessInfo.processInfo.environment)
      else {
        console.line(Options.usage)
        exit(0)
      }
      let stack = BenchStack(environment: ProcessInfo.processInfo.environment, console: console)
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
