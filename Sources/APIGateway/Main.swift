import ServiceHost

@main
enum APIGateway {
  static let definition = ProcessDefinition(
    name: "api-gateway", summary: "REST API, webhooks and everything else that clients talk to", defaultPort: 3000
  ) { settings in
    settings.declare(CRMSettings.webhookSecrets)
    settings.declare(CRMSettings.idempotencyTTL)
    settings.declare(CRMSettings.handlerTimeout)
    settings.declare(CRMSettings.corsOrigins)
    settings.declare(CRMSettings.baseCurrency)
    settings.declare(CRMSettings.previewTimeout)
  }

  static func main() async {
    await ServiceMain.run(
      definition,
      server: { server, settings in
        server.handlerDeadline = .seconds(settings[CRMSettings.handlerTimeout])
        server.defaultBodyLimit = Route.ordinaryLimit
      },
      surface: { context in
        let gateway = try Gateway(context)
        let router = gateway.router()
        return HTTPSurface(router: router, responder: gateway.responder(router))
      },
      services: { _ in [] })
  }
}
