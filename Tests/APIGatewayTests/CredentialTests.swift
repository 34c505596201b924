import CRMCore
import Crypto
import HTTP
import Testing

@testable import APIGateway

@Suite struct CredentialTests {
  private func read(_ headers: HTTPHeaders) throws -> Credential? { try Credential.read(headers) }

  @Test func aKeyIsReadFromEitherHeader() throws {
    let secret = APIKeySecret()
    #expect(try read(["X-API-Key": secret.text]) == .apiKey(secret))
    #expect(try read(["Authorization": "Bearer \(secret.text)"]) == .apiKey(secret))
    #expect(try read(["authorization": "bearer \(secret.text)"]) == .apiKey(secret))
    #expect(try read(["Authorization": "Bearer a.b.c"]) == .bearer("a.b.c"))
    #expect(try read([:]) == nil)
  }

  @Test func twoCredentialsAndOtherSchemesAreRefused() {
    let secret = APIKeySecret().text
    let bad: [HTTPHeaders] = [
      ["Authorization": "Bearer \(secret)", "X-API-Key": secret], ["X-API-Key": secret, "x-api-key": secret],
      ["Authorization": "Bearer a", "AUTHORIZATION": "Bearer b"], ["Authorization": "Basic YTpi"],
      ["Authorization": secret], ["Authorization": ""], ["Authorization": "Bearer"],
    ]
    for headers in bad {
      do {
        _ = try read(headers)
        Issue.record("accepted \(headers)")
      } catch {
        let problem = error as? Problem
        #expect(problem?.kind == .unauthenticated)
        #expect(problem?.headers["WWW-Authenticate"] == #"Bearer realm="minicrm", error="invalid_token""#)
      }
    }
  }

  @Test func whatIsNoKeyIsNotReadAsOne() {
    let good = APIKeySecret().text
    #expect(APIKeySecret(good)?.text == good)
    let bad = [
      "", "mcrm_", String(good.dropLast()), good + "A", good.uppercased(), good.replacing("mcrm_", with: "mcrn_"),
      good.replacing("_", with: "-"), " " + good.dropFirst(), String(good.dropLast()) + "=",
      String(good.dropLast()) + "é",
    ]
    for text in bad { #expect(APIKeySecret(text) == nil, "\(text)") }
  }

  @Test func keysAreTheirOwnAndKeptAsDigests() {
    var seen: Set<String> = []
    for _ in 0..<1000 {
      let secret = APIKeySecret()
      #expect(seen.insert(secret.text).inserted)
      #expect(secret.text.hasPrefix(secret.prefix) && secret.prefix.utf8.count == 13)
      #expect(secret.digest == SHA256.digest(Array(secret.text.utf8)))
    }
  }

  @Test func comparisonsLookAtEveryByte() {
    let secret = APIKeySecret()
    for index in 0..<32 {
      var digest = secret.digest
      #expect(constantTimeEqual(digest, secret.digest))
      digest[index] ^= 1
      #expect(!constantTimeEqual(digest, secret.digest))
    }
    #expect(!constantTimeEqual(Array(secret.digest.dropLast()), secret.digest))
  }
}
