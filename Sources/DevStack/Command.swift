/// What `devstack` was asked to do.
enum Command: Equatable {
  case up(detach: Bool)
  case down
  case status
  case demo(leads: String, orders: String)
  case broker(addressFile: String)
  case settings(SettingsCommand)
  case chaos(ChaosOptions)
  case help
  case version

  static let usage = """
    usage: devstack COMMAND

      up [--detach]                    start MongoDB, a broker and every process; --detach leaves them running
      down                             stop them
      status                           what runs, and whether it is ready
      demo --leads FILE --orders FILE  import two CSV files, run a campaign, say what came of it, stop
      broker --address-file FILE       the embedded broker alone (`up` starts it)
      settings markdown|env            every setting of every process, as a page or as an environment file
      chaos [--list | --selftest] …    kill a stack of its own in every way and judge what it did (docs/chaos.md)

    From the environment:
      STACK_DIR          where everything is written (.stack; a demo: the directory demo in it)
      MONGODB_URI        a MongoDB that runs already; else MINICRM_MONGOD, .cache/mongod/mongod or PATH has the binary
      KAFKA_BROKERS      a broker that runs already; else KAFKA_HOME, an Apache Kafka to start; else the embedded one
      GATEWAYS EXPANDERS SEND_WORKERS AGGREGATORS INGEST_WORKERS                              replicas (1)
      PORT VENDOR_PORT EXPANDER_PORT SEND_WORKER_PORT AGGREGATOR_PORT INGEST_WORKER_PORT      ports (the usual, else free)
      MONGOD_PORT KAFKA_PORT
      VENDOR_SIMULATOR_URL                                        a vendor of your own instead of vendor-sim
      KEEP=1             a demo leaves its stack running
      Every setting of the processes is passed on to them.
    """

  /// - Throws: `StackError` saying what is wrong with the arguments.
  init(arguments: [String]) throws {
    var rest = arguments[...]
    guard let name = rest.popFirst() else {
      self = .help
      return
    }
    if name == "settings" {
      self = .settings(try Command.settings(rest))
      return
    }
    if name == "chaos" {
      self = .chaos(try ChaosOptions(rest))
      return
    }
    var options: [String: String] = [:]
    while let option = rest.popFirst() {
      if option == "--detach" {
        options[option] = ""
      } else if let value = rest.popFirst() {
        options[option] = value
      } else {
        throw StackError("\(option) needs a value")
      }
    }
    func required(_ option: String) throws -> String {
      guard let value = options.removeValue(forKey: option) else { throw StackError("\(name) needs \(option)") }
      return value
    }
    switch name {
    case "up": self = .up(detach: options.removeValue(forKey: "--detach") != nil)
    case "down": self = .down
    case "status": self = .status
    case "demo": self = .demo(leads: try required("--leads"), orders: try required("--orders"))
    case "broker": self = .broker(addressFile: try required("--address-file"))
    case "help", "--help", "-h": self = .help
    case "--version": self = .version
    default: throw StackError("unknown command \(name); see devstack --help")
    }
    if let unknown = options.keys.first { throw StackError("\(name) knows no \(unknown); see devstack --help") }
  }

  private static func settings(_ arguments: ArraySlice<String>) throws -> SettingsCommand {
    guard arguments.count == 1, let format = arguments.first.flatMap(SettingsCommand.Format.init(rawValue:)) else {
      throw StackError(
        "settings needs one of \(SettingsCommand.Format.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return SettingsCommand(format: format)
  }
}
