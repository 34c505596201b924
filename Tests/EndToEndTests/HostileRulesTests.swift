import Foundation
import HTTP
import JSON
import Testing

/// Rules that are made to hurt: the gateway refuses each by name, keeps its memory, and goes on serving.
@Suite struct HostileRulesTests {
  /// What the gateway may keep of half a gigabyte of hostile requests. A body beyond the limit is refused by its length;
  /// one within it is taken apart in less than this.
  private static let growth = 48 << 20

  private struct Attack: Sendable {
    let name: String
    let status: Int
    let body: [UInt8]

    init(_ name: String, _ status: Int, _ body: String) {
      self.name = name
      self.status = status
      self.body = Array(body.utf8)
    }
  }

  private static func leaf(_ field: String, _ op: String, _ value: String) -> String {
    #"{"type":"condition","field":"\#(field)","operator":"\#(op)","value":\#(value)}"#
  }

  private static func request(_ rule: String) -> String { #"{"rule_ast":\#(rule)}"# }

  private static let attacks: [Attack] = {
    let nested =
      String(repeating: #"{"op":"NOT","children":["#, count: 10_000) + leaf("visits", ">", "1")
      + String(repeating: "]}", count: 10_000)
    let shallow =
      String(repeating: #"{"op":"NOT","children":["#, count: 25) + leaf("visits", ">", "1")
      + String(repeating: "]}", count: 25)
    func list(_ bytes: Int) -> String { "[" + String(repeating: "1,", count: bytes / 2 - 1) + "1]" }
    return [
      Attack("10,000 groups within each other", 400, request(nested)),
      Attack("25 groups within each other", 400, request(shallow)),
      Attack("a list of half a million values", 400, request(leaf("visits", "IN", list(1_000_000)))),
      Attack("a list of 100 MB", 413, request(leaf("visits", "IN", list(100_000_000)))),
      Attack(
        "a text of a megabyte", 400,
        request(leaf("name", "CONTAINS", "\"" + String(repeating: "a", count: 1_000_000) + "\""))),
      Attack("an operator as value", 400, request(leaf("name", "=", #"{"$gt":""}"#))),
      Attack("an operator as field", 400, request(leaf("$where", "=", #""sleep(1000)""#))),
      Attack("an operator as rule", 400, request(#"{"$where":"sleep(1000)"}"#)),
      Attack(
        "an operator beside a rule", 400, request(#"{"op":"AND","$or":[],"children":[\#(leaf("visits", ">", "1"))]}"#)),
      Attack("a key of metadata with a dollar", 400, request(leaf("metadata.$where", "=", "1"))),
      Attack("NUL in a value", 400, request(leaf("name", "=", #""a\u0000b""#))),
      Attack("NUL in a field", 400, request(leaf(#"metadata.a\u0000b"#, "=", "1"))),
      Attack("NUL in a key", 400, request(#"{"op":"AND","child\u0000ren":[]}"#)),
      Attack(
        "100,000 empty groups", 400,
        request(#"{"op":"AND","children":["# + String(repeating: #"{},"#, count: 100_000) + "{}]}")),
    ]
  }()

  /// Patterns on which engines that backtrack take for ever, and signs that mean something within patterns.
  private static let bombs = [
    "(a+)+$", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "a{1,65535}", #"\"#, "[", "(?{", "$where", #"\E"#,
  ]

  @Test func hostileRulesAreRefusedWithFlatMemory() async throws {
    try await TestStack.with { stack in
      // Whatever the process keeps for good, it has after its first requests.
      for _ in 0..<3 {
        for attack in Self.attacks { try await Self.expect(attack, stack) }
      }
      let before = try Self.residentBytes(of: "api-gateway", stack)
      for _ in 0..<5 {
        for attack in Self.attacks { try await Self.expect(attack, stack) }
      }
      let after = try Self.residentBytes(of: "api-gateway", stack)
      #expect(after < before + Self.growth, "the gateway had \(before) bytes before and \(after) after")

      try await Self.expectThatPatternsAreText(stack)
    }
  }

  private static func expect(_ attack: Attack, _ stack: TestStack) async throws {
    let answer = try await stack.client.execute(
      HTTPClientRequest(
        .post, stack.baseURL + "/api/v1/segments/preview", headers: ["Content-Type": "application/json"],
        body: attack.body, timeouts: .init(total: .seconds(30))))
    let text = String(decoding: answer.body.prefix(500), as: UTF8.self)
    #expect(answer.status == attack.status, "\(attack.name): \(answer.status) \(text)")
    #expect(answer.headers["Content-Type"] == "application/problem+json", "\(attack.name): \(text)")
    #expect(answer.body.count < 1 << 20, "\(attack.name): the answer has \(answer.body.count) bytes")
  }

  private static func expectThatPatternsAreText(_ stack: TestStack) async throws {
    let filler = String(repeating: "a", count: 150)
    let leads = bombs.enumerated().map { index, bomb -> JSONValue in
      ["name": .string("\(filler)\(bomb)!"), "emails": [.string("bomb\(index)@example.org")]]
    }
    try await stack.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(leads)])
    let names = bombs.map { "\(filler)\($0)!" }
    for bomb in bombs {
      let questions: [(op: String, value: String, wanted: [String])] = [
        ("CONTAINS", bomb.uppercased(), names.filter { $0.lowercased().contains(bomb.lowercased()) }),
        ("STARTS_WITH", filler + bomb, names.filter { $0.hasPrefix(filler + bomb) }),
        ("ENDS_WITH", bomb + "!", names.filter { $0.hasSuffix(bomb + "!") }),
      ]
      for (op, value, wanted) in questions {
        let rule: JSONValue = ["type": "condition", "field": "name", "operator": .string(op), "value": .string(value)]
        let answer = try await stack.succeed(.post, "/api/v1/segments/preview", ["rule_ast": rule])
        let found = (answer.data["sample"]?.arrayValue ?? []).compactMap { $0["name"]?.stringValue }
        #expect(Set(found) == Set(wanted), "\(op) \(bomb)")
      }
    }
  }

  private static func residentBytes(of process: String, _ stack: TestStack) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(try stack.processID(process))/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    let kilobytes = try #require(line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
    return kilobytes << 10
  }
}
