import Runtime

/// The reference of every setting of every process, made from the declarations: `docs/configuration.md` and
/// `.env.example` are what this prints, and a test holds them to it.
public struct SettingsReference: Sendable {
  /// One key, and the processes that read it. A default may differ by process; everything else is the same for all.
  private struct Entry: Sendable {
    var declaration: SettingDeclaration
    var readers: [(process: String, defaultText: String?)]

    /// The default, or those of each process where they differ; nil when the setting must be given.
    var defaultText: String? {
      guard Set(readers.map(\.defaultText)).count > 1 else { return declaration.defaultText }
      return readers.map { "\($0.process) \($0.defaultText ?? "none")" }.joined(separator: ", ")
    }
  }

  private let entries: [Entry]
  private let processCount: Int

  /// - Parameter processes: in the order in which they are named.
  public init(_ processes: [ProcessDefinition] = ProcessDefinition.all) {
    var entries: [Entry] = []
    for process in processes {
      for declaration in process.settings().declarations {
        let reader = (process: process.name, defaultText: declaration.defaultText)
        if let known = entries.firstIndex(where: { $0.declaration.key == declaration.key }) {
          entries[known].readers.append(reader)
        } else {
          entries.append(Entry(declaration: declaration, readers: [reader]))
        }
      }
    }
    self.entries = entries
    processCount = processes.count
  }

  // MARK: Markdown

  /// A page with one table: key, type, default, range, meaning, processes.
  public func markdown() -> String {
    let rows = entries.map { entry in
      let setting = entry.declaration
      let cells = [
        "`\(setting.key)`", setting.type, defaultCell(entry), setting.range, setting.meaning, readers(of: entry),
      ]
      return "| " + cells.map(SettingsReference.escaped).joined(separator: " | ") + " |"
    }
    return """
      # Configuration

      <!-- Made by `make docs` from the declarations in Sources/ServiceHost/CRMSettings.swift. Do not edit. -->

      Settings come from the environment and from nowhere else. An empty value counts as not set. Each process checks all
      of its settings at start; with a bad one it names every bad key in one message and exits with code 78. Secrets are
      never printed. `--help` of a process lists what it reads.

      | key | type | default | range | meaning | read by |
      | --- | --- | --- | --- | --- | --- |
      \(rows.joined(separator: "\n"))

      """
  }

  private func defaultCell(_ entry: Entry) -> String {
    guard let text = entry.defaultText else { return "**required**" }
    if text.isEmpty { return "empty" }
    return text == entry.declaration.defaultText ? "`\(text)`" : text
  }

  private func readers(of entry: Entry) -> String {
    entry.readers.count == processCount ? "all" : entry.readers.map(\.process).joined(separator: ", ")
  }

  private static func escaped(_ cell: String) -> String { cell.replacing("|", with: "\\|") }

  // MARK: Environment file

  /// Shell lines: a default is shown in a comment, a setting that must be given stands empty.
  public func environmentFile() -> String {
    let head = """
      # Every setting of every process; docs/configuration.md is the same as a table.
      # Made by `make docs`. What is commented out shows the default.

      """
    let blocks = entries.map { entry in
      let setting = entry.declaration
      var lines = ["# \(setting.meaning)"]
      lines.append("# \(setting.type); \(setting.range); read by \(readers(of: entry))")
      if let text = entry.defaultText {
        let isCommon = text == setting.defaultText
        if !isCommon { lines.append("# default: \(text)") }
        lines.append("#\(setting.key)=\(isCommon ? text : setting.defaultText ?? "")")
      } else {
        lines.append("\(setting.key)=")
      }
      return lines.joined(separator: "\n")
    }
    return head + "\n" + blocks.joined(separator: "\n\n") + "\n"
  }
}
