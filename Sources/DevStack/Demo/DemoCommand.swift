import Crypto
import Foundation

/// `devstack demo`: a stack on a fresh database, two files imported, a campaign run to its end, and what came of it.
struct DemoCommand: Sendable {
  private let stack: Stack
  private let leads: String
  private let orders: String
  private let keeps: Bool
  /// A database of the caller's server that this demo has made up, and so may drop.
  private let ownDatabase: String?

  init(
    directory: StackDirectory, environment: [String: String], leads: String, orders: String, terminal: Terminal
  ) throws {
    var environment = environment
    var ownDatabase: String?
    if Self.isSet("MONGODB_URI", environment), !Self.isSet("MONGODB_DB_NAME", environment) {
      let name = "mini_crm_demo_" + hexString(randomBytes(4))
      environment["MONGODB_DB_NAME"] = name
      ownDatabase = name
    }
    self.ownDatabase = ownDatabase
    self.leads = leads
    self.orders = orders
    keeps = Self.isSet("KEEP", environment) && environment["KEEP"] != "0"
    stack = Stack(directory: directory, environment: environment, terminal: terminal)
    // Better a word now than after the stack has come up.
    _ = try LeadsFile(path: leads)
    _ = try OrdersFile(path: orders)
  }

  /// - Returns: whether the numbers add up.
  func run() async throws -> Bool {
    let directory = stack.directory
    try await directory.occupy(stack.terminal)
    do {
      try directory.erase()
      let (isRight, running) = try await Interruption.cancelling {
        let running = try await stack.start()
        try await refuseUsedDatabase(running)
        return (try await Demonstration(stack: stack, running: running, leads: leads, orders: orders).run(), running)
      }
      if keeps {
        try directory.leaveRunning()
        stack.terminal.line("\nThe stack runs on (KEEP=1): \(directory.downCommand)")
      } else {
        await dropOwnDatabase(running.mongodbURI)
        try await stack.stop()
      }
      return isRight
    } catch {
      stack.terminal.line("\nstopping what was started")
      if let ownDatabase { stack.terminal.line("the database \(ownDatabase) is left as it is") }
      try await stack.stop()
      throw error
    }
  }

  private func refuseUsedDatabase(_ running: RunningStack) async throws {
    guard Self.isSet("MONGODB_URI", stack.environment), ownDatabase == nil else { return }
    let leads = try await DemoDatabase(uri: running.mongodbURI, name: running.database).leadCount()
    if leads > 0 {
      throw StackError("\(running.database) has \(leads) leads already; a demo wants a database of its own")
    }
  }

  private func dropOwnDatabase(_ uri: String) async {
    guard let ownDatabase else { return }
    do {
      try await DemoDatabase(uri: uri, name: ownDatabase).drop()
    } catch {
      stack.terminal.line("the database \(ownDatabase) could not be dropped: \(error)")
    }
  }

  private static func isSet(_ name: String, _ environment: [String: String]) -> Bool {
    environment[name]?.isEmpty == false
  }
}
