/// Documented answers that no request can bring about while the stack is whole. Everything else is provoked.
enum Unprovoked {
  static func reason(_ pair: APIDescription.Pair) -> String? {
    switch (pair.operation, pair.status) {
    case (_, 500):
      "a fault of this program; a request that is known to cause one is a fault to mend, not a sample"
    case ("getDescription", 503), ("showDocumentation", 503), ("getHealth", 503), ("getMetrics", 503):
      "needs neither MongoDB nor Kafka: only a gateway that stops or is overloaded refuses it (HTTPTests)"
    default: nil
    }
  }
}
