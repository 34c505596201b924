import BSON
import Mongo
import Synchronization
import Testing

/// No server is needed, or wanted, here.
@Suite struct ConfigurationTests {
  @Test(arguments: [
    "mongodb://user:s3cr%40t@localhost:27017/?noequals", "mongodb://user:s3cr%40t@",
    "mongodb://user:s3cr@t@host:notaport/",
    "nonsense://user:s3cr%40t@localhost", "mongodb://user:s3cr/@t@localhost/?x=y",
    "mongodb://localhost/?tls=true&tlsCertificateKeyFilePassword=s3cr%40t&authMechanism=NOPE",
  ])
  func malformedURIsAreTheCallersFaultAndKeepTheirSecret(uri: String) async {
    let error = #expect(throws: MongoError.self) {
      try MongoClient(MongoClient.Configuration(uri: uri, database: "d"))
    }
    #expect(error?.kind == .invalidInput)
    let text = "\(error.map(String.init(describing:)) ?? "")"
    #expect(!text.contains("s3cr"), "\(text)")
  }

  @Test func malformedSettingsAreTheCallersFault() {
    let changes: [(inout MongoClient.Configuration) -> Void] = [
      { $0.poolSize = 0 }, { $0.database = "" }, { $0.database = "a\u{0}b" }, { $0.socketTimeoutMS = 0 },
      { $0.serverSelectionTimeoutMS = -1 }, { $0.waitQueueTimeoutMS = .max },
      { $0.applicationName = String(repeating: "x", count: 200) },
    ]
    for change in changes {
      var configuration = MongoClient.Configuration(uri: "mongodb://localhost", database: "d")
      change(&configuration)
      let error = #expect(throws: MongoError.self) { try MongoClient(configuration) }
      #expect(error?.kind == .invalidInput)
    }
  }

  @Test func noServerIsUnavailableWithinTheSelectionTimeout() async throws {
    var configuration = MongoClient.Configuration(
      uri: "mongodb://someone:hush@127.0.0.1:\(try FreePort.find())/?replicaSet=rs0", database: "d")
    configuration.serverSelectionTimeoutMS = 300
    let client = try MongoClient(configuration)
    let took = await ContinuousClock().measure {
      let error = await #expect(throws: MongoError.self) {
        try await client.withConnection { try $0.insertOne("c", [:]) }
      }
      #expect(error?.kind == .unavailable)
      #expect("\(error.map(String.init(describing:)) ?? "")".contains("hush") == false)
    }
    #expect(took < .seconds(3))
    await client.close()
  }

  @Test func theConnectionStringsTimeoutsWin() async throws {
    var configuration = MongoClient.Configuration(
      uri: "mongodb://127.0.0.1:\(try FreePort.find())/?serverSelectionTimeoutMS=200", database: "d")
    configuration.serverSelectionTimeoutMS = 20_000
    let client = try MongoClient(configuration)
    let took = await ContinuousClock().measure {
      _ = await #expect(throws: MongoError.self) { try await client.withConnection { try $0.insertOne("c", [:]) } }
    }
    #expect(took < .seconds(5))
    await client.close()
  }

  @Test func libmongocsMessagesGoToTheHandler() throws {
    let seen = Mutex<[String]>([])
    MongoLibrary.setLogHandler { _, domain, message in seen.withLock { $0.append("\(domain): \(message)") } }
    defer { MongoLibrary.setLogHandler(nil) }
    // An unknown option is a warning.
    let configuration = MongoClient.Configuration(uri: "mongodb://localhost/?noSuchOption=1", database: "d")
    _ = try MongoClient(configuration)
    #expect(seen.withLock { $0 }.contains { $0.contains("noSuchOption") || $0.contains("nosuchoption") })
  }
}
