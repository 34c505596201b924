import Testing

@testable import Runtime

@Suite struct SettingsTests {
  static let port = Setting.int("PORT", default: 3000, in: 1...65_535, "Port.")
  static let name = Setting.text("NAME", default: nil, "Name.")
  static let level = Setting.text("LEVEL", default: "info", oneOf: ["info", "debug"], "Level.")
  static let secret = Setting.secret("SECRET", minimumLength: 8, "Secret.")
  static let on = Setting.bool("ON", default: false, "Switch.")
  static let hosts = Setting.list("HOSTS", default: "a, b", "Hosts.") { $0.count > 3 ? "\($0) is too long" : nil }
  static let url = Setting.url("URL", default: nil, schemes: ["http", "https"], "URL.")

  static var declared: Settings {
    var settings = Settings()
    settings.declare(port)
    settings.declare(name)
    settings.declare(level)
    settings.declare(secret)
    settings.declare(on)
    settings.declare(hosts)
    settings.declare(url)
    return settings
  }

  @Test func readsValuesAndDefaults() throws {
    var settings = Self.declared
    try settings.load(from: [
      "NAME": "crm", "SECRET": "12345678", "ON": "yes", "PORT": "81", "URL": "https://x", "LEVEL": "",
    ])
    #expect(settings[Self.port] == 81)
    #expect(settings[Self.name] == "crm")
    #expect(settings[Self.level] == "info")
    #expect(settings[Self.on])
    #expect(settings[Self.hosts] == ["a", "b"])
  }

  @Test func namesEveryBadKeyAtOnceAndNoSecret() {
    var settings = Self.declared
    let error = #expect(throws: SettingsError.self) {
      try settings.load(from: [
        "PORT": "70000", "LEVEL": "loud", "SECRET": "hunter2", "ON": "maybe", "HOSTS": "a,toolong", "URL": "ftp://x",
      ])
    }
    #expect(error?.problems.count == 7)
    let text = "\(error!)"
    for key in ["PORT", "NAME", "LEVEL", "SECRET", "ON", "HOSTS", "URL"] { #expect(text.contains("\(key): ")) }
    #expect(!text.contains("hunter2"))
  }

  @Test func helpShowsEverySettingAndNoSecretValue() {
    let help = Self.declared.help()
    for declaration in Self.declared.declarations {
      #expect(help.contains(declaration.key))
      #expect(help.contains(declaration.meaning))
    }
    #expect(help.contains("required"))
  }
}
