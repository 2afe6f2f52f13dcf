/// Where a secret is kept, outside the configuration file.
public enum SecretSource: Sendable, Hashable, CustomStringConvertible {
  /// The environment variable of this name.
  case environment(String)
  /// The file of this absolute path, without one line break at its end.
  case file(String)
  /// What this program with its arguments prints, without one line break at its end; no shell is run.
  case command([String])

  /// `{"env": "NAME"}` and its like; of a command only the program is shown.
  public var description: String {
    switch self {
    case .environment(let name): "{\"env\": \(quoted(name))}"
    case .file(let path): "{\"file\": \(quoted(path))}"
    case .command(let commandLine): "{\"command\": [\(quoted(commandLine.first ?? ""))\(commandLine.count > 1 ? ", …" : "")]}"
    }
  }
}

/// How secrets are reached, so that tests reach others.
public struct SecretAccess: Sendable {
  /// The value of an environment variable, or `nil` when it isn't set.
  public var environment: @Sendable (String) -> String?
  /// How long a command may run before it is killed.
  public var commandTimeout: Duration
  /// The most octets a file or command may give.
  public var sizeLimit: Int

  /// How secrets are reached.
  public init(
    environment: @escaping @Sendable (String) -> String?, commandTimeout: Duration = .seconds(30),
    sizeLimit: Int = 65_536
  ) {
    self.environment = environment
    self.commandTimeout = commandTimeout
    self.sizeLimit = sizeLimit
  }

  /// This process's environment, and 30 seconds for a command.
  public static let process = SecretAccess(environment: processEnvironment)
}

extension SecretSource {
  /// The source that an object with exactly one of `env`, `file` and `command` names.
  init?(_ value: FieldDecoder) {
    let source = value.object { object -> SecretSource? in
      let environment = object.optional("env")
      let file = object.optional("file")
      let command = object.optional("command")
      switch [environment, file, command].compactMap(\.self).count {
      case 1: break
      case 0 where !object.members.isEmpty: return nil  // the unknown key is what is wrong
      default:
        value.report("a secret names exactly one of \"env\", \"file\" and \"command\"")
        return nil
      }
      if let environment { return Self.environment(environment) }
      if let file { return file.filePath().map(SecretSource.file) }
      return command.flatMap(Self.command)
    }
    guard let source else { return nil }
    self = source
  }

  private static func environment(_ value: FieldDecoder) -> SecretSource? {
    guard let name = value.nonEmptyText() else { return nil }
    guard !name.contains("="), !name.contains("$") else {
      value.report(
        "no name of an environment variable",
        remedy: "write the name alone, as in {\"env\": \"SMTP_PASSWORD\"}")
      return nil
    }
    return .environment(name)
  }

  private static func command(_ value: FieldDecoder) -> SecretSource? {
    if case .string = value.node.value {
      value.report(
        expected: "a list",
        remedy:
          "write the program and each argument apart, as in [\"pass\", \"show\", \"smtp\"]; no shell is run")
      return nil
    }
    guard let elements = value.elements() else { return nil }
    guard let program = elements.first else {
      value.report("the list is empty", remedy: "name a program and its arguments")
      return nil
    }
    let arguments = elements.dropFirst().map { $0.text() }
    guard let name = program.nonEmptyText() else { return nil }
    // A bare name is looked up in PATH, as a shell does.
    guard let name = name.contains("/") ? program.filePath() : name else { return nil }
    let commandLine = arguments.compactMap(\.self)
    return commandLine.count == arguments.count ? .command([name] + commandLine) : nil
  }
}
