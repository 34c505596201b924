/// One setting: its key, type, default, range and meaning, declared once.
///
/// The declaration prints `--help`, generates the reference in `docs/` and the example environment file, and is what the
/// environment is checked against at boot.
public struct Setting<Value: Sendable>: Sendable {
  public let declaration: SettingDeclaration
  let defaultValue: Value?
  let parse: @Sendable (String) -> Result<Value, SettingError>

  public var key: String { declaration.key }
}

/// What a reader must know about a setting, without its type.
public struct SettingDeclaration: Sendable, Equatable {
  public let key: String
  /// `integer`, `text`, `url`, …: as the reference prints it.
  public let type: String
  /// As it would be written in the environment; nil where the setting must be given.
  public let defaultText: String?
  /// What is allowed, in words: `1–65535`.
  public let range: String
  /// One line.
  public let meaning: String
  /// Never printed.
  public let isSecret: Bool
}

/// Why one key's value cannot be used.
public struct SettingError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Every problem of an environment, found in one pass.
public struct SettingsError: Error, CustomStringConvertible {
  /// `KEY: what is wrong`, in the order of declaration.
  public let problems: [String]

  public init(problems: [String]) { self.problems = problems }

  public var description: String { problems.joined(separator: "; ") }
}

extension Setting where Value == Int {
  public static func int(_ key: String, default fallback: Int?, in range: ClosedRange<Int>, _ meaning: String)
    -> Setting
  {
    Setting(
      declaration: SettingDeclaration(
        key: key, type: "integer", defaultText: fallback.map(String.init),
        range: "\(range.lowerBound)–\(range.upperBound)", meaning: meaning, isSecret: false),
      defaultValue: fallback
    ) { text in
      guard let value = Int(text) else { return .failure(SettingError("expected an integer, got \"\(text)\"")) }
      guard range.contains(value) else {
        return .failure(SettingError("\(value) is outside \(range.lowerBound)–\(range.upperBound)"))
      }
      return .success(value)
    }
  }
}

extension Setting where Value == Bool {
  public static func bool(_ key: String, default fallback: Bool?, _ meaning: String) -> Setting {
    Setting(
      declaration: SettingDeclaration(
        key: key, type: "boolean", defaultText: fallback.map { $0 ? "true" : "false" }, range: "true, false",
        meaning: meaning, isSecret: false),
      defaultValue: fallback
    ) { text in
      switch text.lowercased() {
      case "true", "1", "yes", "on": .success(true)
      case "false", "0", "no", "off": .success(false)
      default: .failure(SettingError("expected true or false, got \"\(text)\""))
      }
    }
  }
}

extension Setting where Value == String {
  /// Text, optionally one of a list.
  public static func text(
    _ key: String, default fallback: String?, oneOf allowed: [String] = [], _ meaning: String
  ) -> Setting {
    Setting(
      declaration: SettingDeclaration(
        key: key, type: "text", defaultText: fallback,
        range: allowed.isEmpty ? "any" : allowed.joined(separator: ", "), meaning: meaning, isSecret: false),
      defaultValue: fallback
    ) { text in
      guard allowed.isEmpty || allowed.contains(text) else {
        return .failure(SettingError("expected one of \(allowed.joined(separator: ", ")), got \"\(text)\""))
      }
      return .success(text)
    }
  }

  /// A URL with one of the given schemes. Credentials in it are never printed.
  public static func url(_ key: String, default fallback: String?, schemes: [String], _ meaning: String) -> Setting {
    Setting(
      declaration: SettingDeclaration(
        key: key, type: "url", defaultText: fallback,
        range: schemes.map { $0 + "://…" }.joined(separator: ", "), meaning: meaning, isSecret: false),
      defaultValue: fallback
    ) { text in
      guard schemes.contains(where: { text.hasPrefix($0 + "://") && text.utf8.count > $0.utf8.count + 3 }) else {
        return .failure(SettingError("expected a URL beginning with \(schemes.joined(separator: ":// or "))://"))
      }
      return .success(text)
    }
  }

  /// Text that never prints.
  public static func secret(
    _ key: String, default fallback: String? = nil, minimumLength: Int = 1, _ meaning: String
  ) -> Setting {
    Setting(
      declaration: SettingDeclaration(
        key: key, type: "secret", defaultText: fallback, range: "at least \(minimumLength) characters",
        meaning: meaning, isSecret: true),
      defaultValue: fallback
    ) { text in
      guard text.count >= minimumLength else {
        return .failure(SettingError("shorter than \(minimumLength) characters"))
      }
      return .success(text)
    }
  }
}

extension Setting where Value == [String] {
  /// A comma-separated list with at least one element; the default may be the empty one.
  ///
  /// - Parameters:
  ///   - check: what is wrong with one element.
  ///   - checkAll: what is wrong with the elements together.
  public static func list(
    _ key: String, default fallback: String?, isSecret: Bool = false, _ meaning: String,
    check: @escaping @Sendable (String) -> String? = { _ in nil },
    checkAll: @escaping @Sendable ([String]) -> String? = { _ in nil }
  ) -> Setting {
    let parse: @Sendable (String) -> Result<[String], SettingError> = { text in
      let parts = text.split(separator: ",").map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
      guard !parts.isEmpty else { return .failure(SettingError("the list is empty")) }
      for part in parts {
        if let problem = check(part) { return .failure(SettingError(problem)) }
      }
      if let problem = checkAll(parts) { return .failure(SettingError(problem)) }
      return .success(parts)
    }
    return Setting(
      declaration: SettingDeclaration(
        key: key, type: isSecret ? "secret list" : "list", defaultText: fallback, range: "comma-separated",
        meaning: meaning, isSecret: isSecret),
      defaultValue: fallback.flatMap { $0.isEmpty ? [] : try? parse($0).get() }, parse: parse)
  }
}

extension StringProtocol {
  fileprivate func trimmingSpaces() -> String {
    var slice = self[...]
    while slice.first?.isWhitespace == true { slice = slice.dropFirst() }
    while slice.last?.isWhitespace == true { slice = slice.dropLast() }
    return String(slice)
  }
}

/// The settings that a process knows, and their values once an environment has been read.
public struct Settings: Sendable {
  private struct Checked: Sendable {
    let declaration: SettingDeclaration
    let read: @Sendable (String?) -> Result<any Sendable, SettingError>
  }

  private var checks: [Checked] = []
  private var values: [String: any Sendable] = [:]

  public init() {}

  public var declarations: [SettingDeclaration] { checks.map(\.declaration) }

  /// Adds a setting to those that the process knows.
  public mutating func declare<Value>(_ setting: Setting<Value>) {
    checks.append(
      Checked(declaration: setting.declaration) { text in
        guard let text, !text.isEmpty else {
          guard let value = setting.defaultValue else { return .failure(SettingError("is required and not set")) }
          return .success(value)
        }
        return setting.parse(text).map { $0 as any Sendable }
      })
  }

  /// Reads every declared key; an empty value counts as not set.
  ///
  /// - Parameter check: finds what is wrong between settings, of those that are good one by one (`usable`).
  /// - Throws: `SettingsError` with all problems at once.
  public mutating func load(
    from environment: [String: String], check: (Settings) -> [String] = { _ in [] }
  ) throws(SettingsError) {
    var problems: [String] = []
    for check in checks {
      switch check.read(environment[check.declaration.key]) {
      case .success(let value): values[check.declaration.key] = value
      case .failure(let error):
        problems.append("\(check.declaration.key): \(check.declaration.isSecret ? "not usable: " : "")\(error)")
      }
    }
    problems += check(self)
    guard problems.isEmpty else { throw SettingsError(problems: problems) }
  }

  /// The value of a setting if it could be read; for checks, which run although others could not.
  public func usable<Value>(_ setting: Setting<Value>) -> Value? { values[setting.key] as? Value }

  /// The value of a declared and loaded setting.
  public subscript<Value>(setting: Setting<Value>) -> Value {
    guard let value = values[setting.key] as? Value else {
      preconditionFailure("setting \(setting.key) is read but not declared by this process")
    }
    return value
  }

  /// The text of `--help` after the usage line: one paragraph a setting.
  public func help() -> String {
    let width = checks.map(\.declaration.key.count).max() ?? 0
    return declarations.map { setting in
      let padding = String(repeating: " ", count: width - setting.key.count)
      let fallback = setting.defaultText.map { "default \($0.isEmpty ? "empty" : $0)" } ?? "required"
      return "  \(setting.key)\(padding)  \(setting.meaning)\n  \(String(repeating: " ", count: width))  "
        + "(\(setting.type); \(setting.range); \(fallback))"
    }.joined(separator: "\n")
  }
}
