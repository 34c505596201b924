import HTTP
import Testing

@testable import APIGateway

@Suite struct ClientAddressTests {
  private func address(peer: String, _ forwarded: [String], trusting proxies: [String]) throws -> String {
    var headers = HTTPHeaders()
    for value in forwarded { headers.add("X-Forwarded-For", value) }
    let ranges = try proxies.map { try #require(NetworkRange($0)) }
    return ClientAddress(proxies: ranges).of(try HTTPRequest(.get, "/", headers: headers, remoteAddress: peer))
  }

  @Test func whoIsNoProxyIsNotBelieved() throws {
    #expect(try address(peer: "203.0.113.9", ["10.0.0.1"], trusting: []) == "203.0.113.9")
    #expect(try address(peer: "203.0.113.9", ["198.51.100.7"], trusting: ["10.0.0.0/8"]) == "203.0.113.9")
  }

  @Test func aProxySaysWhoTheClientIs() throws {
    #expect(try address(peer: "10.0.0.2", ["198.51.100.7"], trusting: ["10.0.0.0/8"]) == "198.51.100.7")
    #expect(try address(peer: "10.0.0.2", ["198.51.100.7, 10.1.1.1"], trusting: ["10.0.0.0/8"]) == "198.51.100.7")
    #expect(try address(peer: "::1", ["2001:db8::7"], trusting: ["::1"]) == "2001:db8::7")
  }

  @Test func whatTheClientWroteItselfIsNotBelieved() throws {
    let forged = ["1.1.1.1, 2.2.2.2", "198.51.100.7"]
    #expect(try address(peer: "10.0.0.2", forged, trusting: ["10.0.0.0/8"]) == "198.51.100.7")
    #expect(try address(peer: "10.0.0.2", ["evil, 198.51.100.7"], trusting: ["10.0.0.0/8"]) == "198.51.100.7")
    #expect(try address(peer: "10.0.0.2", ["198.51.100.7, evil"], trusting: ["10.0.0.0/8"]) == "10.0.0.2")
  }

  @Test func rangesContainWhatTheyShould() throws {
    func contains(_ range: String, _ text: String) throws -> Bool {
      try #require(NetworkRange(range)).contains(try #require(NetworkAddress(text)))
    }
    #expect(try contains("10.0.0.0/8", "10.255.255.255"))
    #expect(try !contains("10.0.0.0/8", "11.0.0.0"))
    #expect(try contains("192.168.4.0/22", "192.168.7.255"))
    #expect(try !contains("192.168.4.0/22", "192.168.8.0"))
    #expect(try contains("0.0.0.0/0", "8.8.8.8"))
    #expect(try !contains("0.0.0.0/0", "2001:db8::1"))
    #expect(try contains("10.0.0.1", "::ffff:10.0.0.1"))
    #expect(try contains("2001:db8::/33", "2001:db8:7fff::1"))
    #expect(try !contains("2001:db8::/33", "2001:db8:8000::1"))
    for bad in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "x", "10.0.0.0/8/8", "::/129", "10.0.0.0/"] {
      #expect(NetworkRange(bad) == nil, "\(bad)")
    }
  }

  @Test func aCustomersSixtyFourCountsAsOne() throws {
    #expect(try #require(NetworkAddress("2001:db8:1:2::1")).network == NetworkAddress("2001:db8:1:2:ffff::9")?.network)
    #expect(try #require(NetworkAddress("2001:db8:1:2::1")).network != NetworkAddress("2001:db8:1:3::1")?.network)
    #expect(try #require(NetworkAddress("192.0.2.1")).network != NetworkAddress("192.0.2.2")?.network)
  }
}
