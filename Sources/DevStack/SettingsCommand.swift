import ServiceHost

/// `devstack settings`: prints the reference of every setting. `make docs` writes it into the repository.
struct SettingsCommand: Equatable {
  enum Format: String, CaseIterable {
    case markdown
    case env
  }

  let format: Format

  /// The file as it is committed, its last line feed included.
  var text: String {
    switch format {
    case .markdown: SettingsReference().markdown()
    case .env: SettingsReference().environmentFile()
    }
  }
}
