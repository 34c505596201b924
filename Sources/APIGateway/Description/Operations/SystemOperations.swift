import HTTP

extension Operation {
  static let getJob = Operation("Show how far an import is", answers: [.data(.job)])

  static let getJobErrors = Operation(
    "List what is wrong with the rows of an import, as CSV",
    "Rows count from 1: the element of a bulk request, the line below a CSV's header. A row may have several lines.",
    answers: [.stream(HTTPResponse.csvType, "`row,field,code,message`, in the order of the rows")])

  static let getStatus = Operation("Show version, dependencies and consumer lag", answers: [.data(.status)])

  static let getDashboard = Operation(
    "Show what there is and what happened of late", "The numbers are at most five seconds old.",
    answers: [.data(.dashboard)])

  static let getDescription = Operation(
    "Describe the API", "This document.",
    headers: [.init("If-None-Match", .string, "The `ETag` of a copy")],
    answers: [
      Answer(
        200, "OpenAPI 3.1", mediaType: "application/json", .openAPIDocument,
        headers: [.init("ETag", .string, required: true)]),
      Answer(304, "The copy is current", mediaType: nil),
    ])

  static let showDocumentation = Operation(
    "Describe the API for people", answers: [.stream("text/html", "A page without scripts and outside resources")])

  static let getHealth = Operation(
    "Tell that the process lives", "Green also while a dependency is away.", answers: [.json(.health)])

  static let getReadiness = Operation(
    "Tell whether the process takes work",
    answers: [.json(.readiness), .json(.readiness, status: 503, "It starts, stops, or lacks a dependency")])

  static let getMetrics = Operation(
    "Metrics for Prometheus", answers: [.stream("text/plain", "Prometheus text format 0.0.4")])
}
