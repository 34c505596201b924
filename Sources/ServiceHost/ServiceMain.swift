import CivilTime
import Foundation
import HTTP
import JSON
import Runtime

/// The way every process begins and ends.
public enum ServiceMain {
  /// Exit code of a process whose settings cannot be used (`EX_CONFIG` of sysexits.h).
  public static let configurationExit: Int32 = 78
  /// Exit code of wrong command-line arguments (`EX_USAGE`).
  public static let usageExit: Int32 = 64

  /// Reads the command line and the environment, starts the operations server, waits for the dependencies, then starts
  /// the process's own services in order; on SIGTERM or SIGINT stops them in reverse.
  ///
  /// - Parameters:
  ///   - check: finds what is wrong between settings that are good one by one: `KEY: what is wrong`.
  ///   - configure: changes the settings of the process's one HTTP server.
  ///   - surface: what that server answers; the operations routes unless given.
  ///   - services: the parts of the process, dependencies first. Called once MongoDB and Kafka have been prepared.
  public static func run(
    _ definition: ProcessDefinition, check: @Sendable (Settings) -> [String] = { _ in [] },
    server configure: @Sendable (inout HTTPServer.Configuration, Settings) -> Void = { _, _ in },
    surface: @Sendable (ServiceContext) throws -> HTTPSurface = HTTPSurface.operationsOnly,
    services: @escaping @Sendable (ServiceContext) async throws -> [any Service]
  ) async -> Never {
    let settings = settingsOrExit(definition, check)
    do {
      let context = try ServiceContext(definition: definition, settings: settings)
      var configuration = HTTPServer.Configuration()
      configuration.host = settings[CRMSettings.host]
      configuration.port = settings[definition.port]
      configure(&configuration, settings)
      let surface = try surface(context)
      let server = HTTPServer(configuration, router: surface.router, responder: surface.responder) { event in
        context.log.warning("http: \(event)")
      }
      let group = ServiceGroup(
        [
          Connections(context: context), HTTPService(server, context), Dependencies(context),
          Deferred(context, services),
        ], log: context.log
      ) { context.health.leave() }
      let watch = Task { if let reason = await context.failure.wait() { group.fail(reason) } }
      let code = await group.run()
      watch.cancel()
      exit(code)
    } catch {
      Logger(service: definition.name).error("could not start", [LogKey.error: .string("\(error)")])
      exit(1)
    }
  }

  private static func settingsOrExit(
    _ definition: ProcessDefinition, _ check: (Settings) -> [String]
  ) -> Settings {
    var settings = definition.settings()
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.contains("--help") || arguments.contains("-h") {
      write(
        "\(definition.name) — \(definition.summary)\n\nusage: \(definition.name) [--help] [--version]\n\n"
          + "Settings are read from the environment:\n\n\(settings.help())\n", to: 1)
      exit(0)
    }
    if arguments.contains("--version") {
      write("\(definition.name) \(ProductVersion.current)\n", to: 1)
      exit(0)
    }
    #if FAILPOINTS
      if arguments.contains("--failpoints") {
        write(FailpointArming.catalogue(of: definition.name), to: 1)
        exit(0)
      }
      do throws(FailpointError) {
        try FailpointArming(ProcessInfo.processInfo.environment, process: definition.name).install()
      } catch {
        write("\(definition.name): \(error)\n", to: 2)
        exit(configurationExit)
      }
    #endif
    if let unknown = arguments.first {
      write("\(definition.name): unknown argument \(unknown); see --help\n", to: 2)
      exit(usageExit)
    }
    do throws(SettingsError) {
      try settings.load(from: ProcessInfo.processInfo.environment, check: check)
    } catch {
      let lines = error.problems.map { "  \($0)\n" }.joined()
      write("\(definition.name): these settings cannot be used (see --help):\n\(lines)", to: 2)
      exit(configurationExit)
    }
    return settings
  }

  private static func write(_ text: String, to descriptor: Int32) {
    FileHandle(fileDescriptor: descriptor).write(Data(text.utf8))
  }
}

/// What a process answers over HTTP.
public struct HTTPSurface: Sendable {
  public let router: HTTPRouter
  /// The router itself, or middleware that ends in it.
  public let responder: any HTTPResponder

  public init(router: HTTPRouter, responder: (any HTTPResponder)? = nil) {
    self.router = router
    self.responder = responder ?? router
  }

  /// `/health`, `/ready` and `/metrics`, nothing else.
  @Sendable public static func operationsOnly(_ context: ServiceContext) -> HTTPSurface {
    var router = HTTPRouter()
    OperationsRoutes(context).register(in: &router)
    return HTTPSurface(router: router)
  }
}

/// The HTTP server as a service: it answers `/health` while the process waits for its dependencies and while it drains.
struct HTTPService: Service {
  let name = "http"
  private let server: HTTPServer
  private let context: ServiceContext

  init(_ server: HTTPServer, _ context: ServiceContext) {
    self.server = server
    self.context = context
  }

  func start() async throws {
    try server.start()
    context.log.info("listening", ["port": .int(Int64(server.port))])
  }

  func stop(grace: Duration) async { await server.stop(grace: min(grace, .seconds(10))) }
}

/// Builds the process's own services once the dependencies answer, and starts and stops them as one.
final class Deferred: Service {
  let name = "work"
  private let context: ServiceContext
  private let build: @Sendable (ServiceContext) async throws -> [any Service]
  private let started = Started()

  private actor Started {
    var services: [any Service] = []
    func add(_ service: any Service) { services.append(service) }
    func takeAll() -> [any Service] {
      defer { services = [] }
      return services
    }
  }

  init(_ context: ServiceContext, _ build: @escaping @Sendable (ServiceContext) async throws -> [any Service]) {
    self.context = context
    self.build = build
  }

  func start() async throws {
    for service in try await build(context) {
      await started.add(service)
      try await service.start()
    }
    context.health.takeWork()
    context.log.info("ready")
  }

  func stop(grace: Duration) async {
    let deadline = ContinuousClock.now + grace
    for service in await started.takeAll().reversed() {
      await service.stop(grace: max(.seconds(1), ContinuousClock.now.duration(to: deadline)))
    }
  }
}
