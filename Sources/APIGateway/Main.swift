import ServiceHost

@main
enum APIGateway {
  static func main() async {
    await ServiceMain.run(
      .apiGateway, check: AccessSettings.problems,
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
