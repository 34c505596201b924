import CRMMessaging
import JSON

extension Schema {
  static let connection = choice(["connected", "disconnected"])
  private static let services = object([.required("database", connection), .required("kafka", connection)])

  static let status = named(
    "Status",
    object([
      .required("service", string), .required("version", string), .required("instance", string),
      .required("uptime_s", number), .required("timestamp", timestamp), .required("features", array(of: string)),
      .required("services", services),
      .required(
        "consumer_lag",
        map(of: object([.required("group", string), .required("lag", nullable(count))]))
          .described("Records that each topic's consumers have not read; null when the broker does not tell")),
    ]))

  static let health = named(
    "Health",
    object([
      .required("status", constant("ok")), .required("timestamp", timestamp), .required("service", string),
      .required("version", string), .required("instance", string), .required("uptime_s", number),
      .required("services", services), .required("problems", map(of: string)),
    ]))

  /// OpenAPI 3.1, whose own schema is elsewhere.
  static let openAPIDocument = named(
    "OpenAPIDocument",
    object([
      .required("openapi", constant("3.1.0")), .required("info", map(of: anything)),
      .required("servers", array(of: map(of: anything))), .required("tags", array(of: map(of: anything))),
      .required("paths", map(of: map(of: anything))), .required("components", map(of: map(of: anything))),
    ]))

  static let readiness = named(
    "Readiness",
    object([.required("ready", boolean), .required("services", services), .required("problems", map(of: string))]))
}
