import Runtime
import ServiceHost
import Testing

@testable import APIGateway

@Suite struct AccessSettingsTests {
  private static let secret = "a secret of no fewer than 32 bytes"

  /// What is wrong with an environment, as the process would say it before it ends with 78.
  private func problems(_ environment: [String: String]) -> [String] {
    var settings = ProcessDefinition.apiGateway.settings()
    do throws(SettingsError) {
      try settings.load(
        from: ["RECEIPT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].merging(environment) { $1 },
        check: AccessSettings.problems)
      return []
    } catch {
      return error.problems
    }
  }

  @Test func accessIsRequiredUnlessSaidOtherwiseAndNeedsASecret() {
    #expect(problems([:]).map { $0.prefix(10) } == ["JWT_SECRET"])
    #expect(problems(["JWT_SECRET": Self.secret]) == [])
  }

  @Test(arguments: ["127.0.0.1", "127.8.9.1", "::1", "localhost", "::ffff:127.0.0.1"])
  func offIsAllowedOnLoopback(host: String) {
    #expect(problems(["AUTH_MODE": "off", "HOST": host]) == [])
  }

  @Test(arguments: [
    "", "0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "crm.example", "127.0.0.1.evil.example", "localhost.x",
  ])
  func offIsRefusedWhereOthersCanCall(host: String) {
    let found = problems(["AUTH_MODE": "off", "HOST": host])
    #expect(found.count == 1 && found[0].hasPrefix("AUTH_MODE: "), "\(found)")
  }

  @Test(arguments: ["short", String(repeating: "x", count: 31), "\(String(repeating: "x", count: 40)),short"])
  func weakSecretsAreRefusedAndNotShown(secret: String) {
    let found = problems(["JWT_SECRET": secret])
    #expect(found.contains { $0.hasPrefix("JWT_SECRET: ") })
    #expect(!found.joined().contains("xxx") && !found.joined().contains("short,"))
  }

  @Test func theBootstrapKeyIsLong() {
    #expect(problems(["JWT_SECRET": Self.secret, "BOOTSTRAP_ADMIN_KEY": "changeme"]).count == 1)
  }

  @Test func aPublicKeyNeedsAnIssuerOfItsOwn() {
    let base = ["JWT_SECRET": Self.secret, "JWT_PUBLIC_KEY": ForeignKeys.p256.replacing("\n", with: "\\n")]
    #expect(problems(base).map { $0.prefix(21) } == ["JWT_PUBLIC_KEY_ISSUER"])
    #expect(problems(base.merging(["JWT_PUBLIC_KEY_ISSUER": "minicrm"]) { $1 }).count == 1)
    #expect(problems(base.merging(["JWT_PUBLIC_KEY_ISSUER": "https://id.example"]) { $1 }) == [])
  }

  @Test func keysThatCannotBeReadAreNamed() {
    let issuer = ["JWT_SECRET": Self.secret, "JWT_PUBLIC_KEY_ISSUER": "https://id.example"]
    #expect(problems(issuer.merging(["JWT_PUBLIC_KEY": "nonsense"]) { $1 })[0].hasPrefix("JWT_PUBLIC_KEY: "))
    #expect(
      problems(issuer.merging(["JWT_PUBLIC_KEY_FILE": "/no/such/file"]) { $1 })[0].hasPrefix("JWT_PUBLIC_KEY_FILE: "))
    let both = ["JWT_PUBLIC_KEY": ForeignKeys.p256, "JWT_PUBLIC_KEY_FILE": "/no/such/file"]
    #expect(problems(issuer.merging(both) { $1 }).count == 1)
  }

  @Test func badProxiesAreNamedBesideOtherProblems() {
    let found = problems(["TRUSTED_PROXIES": "10.0.0.0/8, everybody", "PORT": "99999"])
    #expect(found.contains { $0.hasPrefix("PORT: ") })
    #expect(found.contains { $0.hasPrefix("TRUSTED_PROXIES: ") && $0.contains("everybody") })
    #expect(found.contains { $0.hasPrefix("JWT_SECRET: ") }, "all in one message")
  }
}
