internal import Glibc

/// The environment of the commands that `config.json` names: what programs generally need, and what it names for them.
///
/// The rest isn't passed on, because the environment of a service holds the secrets of other settings.
enum CommandEnvironment {
  /// The variables that every command gets: who and where it runs, its language, and how it reaches the user's session.
  static let common = [
    "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "LANG", "LANGUAGE", "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "CREDENTIALS_DIRECTORY",
  ]

  /// Returns `NAME=value` for each of the common variables and of `names` that is set.
  static func variables(
    _ names: [String], value: (String) -> String? = processEnvironment
  ) -> [String] {
    var variables = (common + names.filter { !common.contains($0) }).compactMap { name in
      value(name).map { "\(name)=\($0)" }
    }
    // The search of a program uses the process's PATH, which may be unset.
    if value("PATH") == nil { variables.append("PATH=/usr/local/bin:/usr/bin:/bin") }
    return variables
  }

  /// Reads the names of more variables; `nil` after an error.
  static func names(_ value: FieldDecoder) -> [String]? {
    guard let elements = value.elements() else { return nil }
    let names = elements.map { element -> String? in
      guard let name = element.literalText() else { return nil }
      guard !name.isEmpty, !name.contains("="), !name.contains("$"), !name.contains("%") else {
        element.report(
          "not the name of an environment variable", remedy: "write only the name, like \"VAULT_ADDR\"")
        return nil
      }
      return name
    }
    let read = names.compactMap(\.self)
    return read.count == names.count ? read : nil
  }
}
