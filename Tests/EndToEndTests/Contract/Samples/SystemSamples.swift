import JSON

extension Sample {
  static let system: [Sample] = [
    Sample("getStatus", [200: { _ in Call() }]),
    Sample("getDashboard", [200: { _ in Call() }]),
    Sample("getDescription", [200: { _ in Call() }, 304: { _ in Call(headers: ["If-None-Match": "*"]) }]),
    Sample("showDocumentation", [200: { _ in Call() }]),
    Sample("getHealth", [200: { _ in Call() }]),
    Sample("getReadiness", [200: { _ in Call() }]),
    Sample("getMetrics", [200: { _ in Call() }]),
  ]
}
