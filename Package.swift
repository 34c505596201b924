// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: language mode 6 comes from the tools version, warnings never pass.
///
/// Failpoints are compiled into debug builds, which the tests kill, and into others only where `MINICRM_FAILPOINTS=1` asks
/// for them.
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  Context.environment["MINICRM_FAILPOINTS"] == "1"
    ? .define("FAILPOINTS") : .define("FAILPOINTS", .when(configuration: .debug)),
]

/// A Swift library target. Tests live in `Tests/<name>Tests`.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A process of the product: a thin `main` in `Sources/<name>`.
func process(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func system(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// What every process is made of.
let service: [Target.Dependency] = [
  "BSON", "CivilTime", "CRMCore", "CRMMessaging", "CRMStore", "Crypto", "CSV", "HTTP", "JSON", "JWT", "Kafka", "Mongo",
  "Runtime",
  "ServiceHost",
]

let package = Package(
  name: "MiniCRM",
  products: [
    .executable(name: "api-gateway", targets: ["APIGateway"]),
    .executable(name: "job-expander", targets: ["JobExpander"]),
    .executable(name: "send-worker", targets: ["SendWorker"]),
    .executable(name: "receipt-aggregator", targets: ["ReceiptAggregator"]),
    .executable(name: "ingest-worker", targets: ["IngestWorker"]),
    .executable(name: "vendor-sim", targets: ["VendorSim"]),
    .executable(name: "devstack", targets: ["DevStack"]),
    .executable(name: "minicrm-bench", targets: ["Bench"]),
  ],
  targets: [
    // C modules: module maps and static-inline shims, nothing else.
    system("CRdKafka", pkgConfig: "rdkafka", apt: "librdkafka-dev"),
    system("CMongoC", pkgConfig: "libmongoc-1.0", apt: "libmongoc-dev"),
    system("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
    system("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
    .target(name: "CSimdJSON", linkerSettings: [.linkedLibrary("simdjson")]),

    // Values: pure, no I/O.
    library("JSON", ["CSimdJSON"]),
    library("BSON"),
    library("CivilTime"),
    library("CSV"),
    library("Crypto", ["CCrypto"]),
    library("JWT", ["CivilTime", "Crypto", "JSON"]),

    // One wrapper each: the only importer of its C module; knows nothing of campaigns.
    library("Runtime", ["CivilTime", "JSON"]),
    library("Kafka", ["CRdKafka", "Runtime"]),
    library("Mongo", ["BSON", "CMongoC", "Runtime"]),
    library("HTTP", ["CCurl", "CMicroHTTPD", "Runtime"]),
    library(
      "ServiceHost",
      ["BSON", "CivilTime", "CRMCore", "CRMMessaging", "CRMStore", "HTTP", "JSON", "Kafka", "Mongo", "Runtime"]),

    // The domain.
    library("CRMCore", ["BSON", "CivilTime", "Crypto", "JSON"]),
    library("CRMStore", ["BSON", "CivilTime", "CRMCore", "Crypto", "JSON", "Mongo", "Runtime"]),
    library("CRMMessaging", ["BSON", "CivilTime", "CRMCore", "Crypto", "JSON", "Kafka", "Runtime"]),

    // The processes.
    process("APIGateway", service),
    process("JobExpander", service),
    process("SendWorker", service),
    process("ReceiptAggregator", service),
    process("IngestWorker", service),
    process("VendorSim", service),
    process("DevStack", service),
    process("Bench", service),

    tests("JSONTests", ["JSON"]),
    tests("BSONTests", ["BSON"]),
    tests("CryptoTests", ["Crypto"]),
    tests("CSVTests", ["CSV"]),
    tests("JWTTests", ["CivilTime", "Crypto", "JSON", "JWT"]),
    tests("RuntimeTests", ["CivilTime", "JSON", "Runtime"]),
    tests("KafkaTests", ["Kafka", "Runtime"]),
    tests("MongoTests", ["BSON", "Mongo", "Runtime"]),
    .target(name: "WireCorpus", path: "Tests/WireCorpus", swiftSettings: strict),
    tests("HTTPTests", ["HTTP", "Runtime", "WireCorpus"]),
    tests("CivilTimeTests", ["CivilTime"]),
    tests("CRMCoreTests", ["BSON", "CivilTime", "CRMCore", "Crypto", "JSON"]),
    tests("CRMMessagingTests", ["BSON", "CivilTime", "CRMCore", "CRMMessaging", "JSON", "Kafka", "Runtime"]),
    tests(
      "IntegrationTests",
      ["APIGateway", "IngestWorker"] + service),
    tests("APIGatewayTests", ["APIGateway"] + service),
    tests("IngestWorkerTests", ["BSON", "CRMCore", "CRMStore", "IngestWorker"]),
    tests("SendWorkerTests", ["CRMCore", "Crypto", "HTTP", "Runtime", "SendWorker"]),
    tests("DevStackTests", ["DevStack", "JSON"]),
    tests("EndToEndTests", service + ["WireCorpus"]),
  ],
  cxxLanguageStandard: .cxx17
)
