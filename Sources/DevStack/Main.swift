import Foundation
import ServiceHost

/// The embedded default: MongoDB, a broker and every process on one machine, and a demonstration of them.
@main
struct DevStack {
  static func main() async {
    // A reader that goes away (`make demo | head`) must not end us before what was started is stopped.
    signal(SIGPIPE, SIG_IGN)
    let terminal = Terminal()
    do {
      exit(try await run(Command(arguments: Array(CommandLine.arguments.dropFirst())), terminal) ? 0 : 1)
    } catch is CancellationError {
      exit(130)
    } catch {
      terminal.complain("\(error)")
      exit(1)
    }
  }

  /// - Returns: whether all is well.
  private static func run(_ command: Command, _ terminal: Terminal) async throws -> Bool {
    let environment = ProcessInfo.processInfo.environment
    let root = environment["STACK_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? ".stack"
    func stack(_ path: String) -> Stack {
      Stack(directory: StackDirectory(path: path), environment: environment, terminal: terminal)
    }
    switch command {
    case .help: terminal.line(Command.usage)
    case .version: terminal.line("devstack \(ProductVersion.current)")
    case .up(let detach): try await UpCommand(stack: stack(root), detach: detach).run()
    case .down: try await DownCommand(stack: stack(root)).run()
    case .settings(let command): terminal.write(command.text)
    case .status: return try await StatusCommand(stack: stack(root)).run()
    case .broker(let addressFile):
      try await EmbeddedBrokerProcess.run(addressFile: URL(fileURLWithPath: addressFile))
    case .chaos(let options):
      return try await ChaosCommand(
        options, directory: StackDirectory(path: "\(root)/chaos"), environment: environment, terminal: terminal
      ).run()
    case .demo(let leads, let orders):
      let demo = try DemoCommand(
        directory: StackDirectory(path: "\(root)/demo"), environment: environment, leads: leads, orders: orders,
        terminal: terminal)
      return try await demo.run()
    }
    return true
  }
}
