import Foundation
import Testing

@testable import DevStack

@Suite("The reference of settings")
struct SettingsReferenceTests {
  /// A file of the repository.
  private func committed(_ path: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  @Test func theCommittedPageSaysWhatIsDeclared() throws {
    let text = SettingsCommand(format: .markdown).text
    #expect(try committed("docs/configuration.md") == text, "run `make docs`")
  }

  @Test func theCommittedEnvironmentFileSaysWhatIsDeclared() throws {
    let text = SettingsCommand(format: .env).text
    #expect(try committed(".env.example") == text, "run `make docs`")
  }

  @Test func everyKeyStandsOnce() {
    let keys = SettingsCommand(format: .env).text.split(separator: "\n")
      .compactMap { line in line.hasPrefix("# ") ? nil : line.split(separator: "=").first?.drop { $0 == "#" } }
    #expect(keys.count > 20)
    #expect(Set(keys).count == keys.count)
  }

  @Test func aDefaultThatDiffersByProcessIsGivenForEach() throws {
    let row = try #require(
      SettingsCommand(format: .markdown).text.split(separator: "\n").first { $0.hasPrefix("| `PORT` |") })
    #expect(row.contains("api-gateway 3000"))
    #expect(row.contains("vendor-sim 3001"))
  }

  @Test func theCommandNeedsAFormatThatExists() throws {
    #expect(try Command(arguments: ["settings", "env"]) == .settings(SettingsCommand(format: .env)))
    #expect(throws: StackError.self) { try Command(arguments: ["settings"]) }
    #expect(throws: StackError.self) { try Command(arguments: ["settings", "yaml"]) }
    #expect(throws: StackError.self) { try Command(arguments: ["settings", "env", "markdown"]) }
  }
}
