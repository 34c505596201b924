import Runtime

/// What a process is called, listens on and reads.
public struct ProcessDefinition: Sendable {
  /// The executable's name.
  public let name: String
  /// One line for `--help`.
  public let summary: String
  public let port: Setting<Int>
  /// See `CRMSettings.kafkaLinger`.
  public let kafkaLinger: Setting<Int>
  public let usesDatabase: Bool
  public let usesKafka: Bool
  let declareOwn: @Sendable (inout Settings) -> Void

  /// - Parameters:
  ///   - defaultLinger: milliseconds; short where somebody waits for the acknowledgement of a single record.
  ///   - usesDatabase: false for a process that never talks to MongoDB; it is then no condition of readiness.
  ///   - settings: declares what this process reads beside the common settings.
  public init(
    name: String, summary: String, defaultPort: Int, defaultLinger: Int = 15, usesDatabase: Bool = true,
    usesKafka: Bool = true,
    settings: @escaping @Sendable (inout Settings) -> Void
  ) {
    self.name = name
    self.summary = summary
    self.usesDatabase = usesDatabase
    self.usesKafka = usesKafka
    port = CRMSettings.port(default: defaultPort)
    kafkaLinger = CRMSettings.kafkaLinger(default: defaultLinger)
    declareOwn = settings
  }

  /// Everything this process reads, not loaded yet.
  public func settings() -> Settings {
    var settings = Settings()
    settings.declare(port)
    for declare in CRMSettings.common { declare(&settings) }
    settings.declare(kafkaLinger)
    declareOwn(&settings)
    return settings
  }
}

/// The version of all processes.
public enum ProductVersion {
  public static let current = "0.1.0"
}
