internal import Glibc
internal import PabalFormats

/// The source of a secret outside the configuration file.
public enum SecretSource: Sendable, Hashable, CustomStringConvertible {
  /// The environment variable with this name.
  case environment(String)
  /// The file at this absolute path, without one trailing line break.
  case file(String)
  /// The output of this program with its arguments, without one trailing line break. No shell is involved.
  ///
  /// Of the environment it gets what programs generally need, and the variables named here.
  case command([String], environment: [String] = [])

  /// The source as in `{"env": "NAME"}`. The arguments of a command are left out.
  public var description: String {
    switch self {
    case .environment(let name): "{\"env\": \(quoted(name))}"
    case .file(let path): "{\"file\": \(quoted(path))}"
    case .command(let commandLine, _):
      "{\"command\": [\(quoted(commandLine.first ?? ""))\(commandLine.count > 1 ? ", …" : "")]}"
    }
  }
}

/// How secrets are fetched. Tests replace it.
public struct SecretAccess: Sendable {
  /// Returns the value of an environment variable, or `nil` if it isn't set.
  public var environment: @Sendable (String) -> String?
  /// The time after which a command is killed.
  public var commandTimeout: Duration
  /// The maximum size of a file or of a command's output in bytes.
  public var sizeLimit: Int

  /// Creates access to secrets.
  public init(
    environment: @escaping @Sendable (String) -> String?, commandTimeout: Duration = .seconds(30),
    sizeLimit: Int = 65_536
  ) {
    self.environment = environment
    self.commandTimeout = commandTimeout
    self.sizeLimit = sizeLimit
  }

  /// The environment of this process, and 30 seconds for a command.
  public static let process = SecretAccess(environment: processEnvironment)
}

extension SecretSource {
  /// Decodes an object with exactly one of `env`, `file` and `command`.
  init?(_ value: FieldDecoder) {
    let source = value.object { object -> SecretSource? in
      let environment = object.optional("env")
      let file = object.optional("file")
      let command = object.optional("command")
      let names = object.optional("environment")
      switch [environment, file, command].compactMap(\.self).count {
      case 1: break
      // An unknown key is reported as such.
      case 0 where object.members.contains { $0.key != "environment" }: return nil
      default:
        value.report(
          "a secret needs exactly one of \"env\", \"file\" and \"command\"",
          remedy: "write it like {\"env\": \"SMTP_PASSWORD\"}")
        return nil
      }
      if let names, command == nil {
        names.report("only a command has an environment", remedy: "remove it")
        return nil
      }
      if let environment { return Self.environment(environment) }
      if let file { return file.filePath().map(SecretSource.file) }
      let inherited = names.map(CommandEnvironment.names) ?? []
      let commandLine = command.flatMap(Self.command)
      guard let inherited, let commandLine else { return nil }
      return .command(commandLine, environment: inherited)
    }
    guard let source else { return nil }
    self = source
  }

  private static func environment(_ value: FieldDecoder) -> SecretSource? {
    guard let name = value.literalText() else { return nil }
    guard !name.isEmpty, !name.contains("="), Placeholder(name) == nil, !name.contains("$") else {
      value.report(
        "not the name of an environment variable",
        remedy: "write only the name, like {\"env\": \"SMTP_PASSWORD\"}")
      return nil
    }
    return .environment(name)
  }

  private static func command(_ value: FieldDecoder) -> [String]? {
    if case .string = value.node.content {
      value.report(
        expected: "a list",
        remedy:
          "write the program and each argument as a string, like [\"pass\", \"show\", \"smtp\"], because no shell is involved"
      )
      return nil
    }
    guard let elements = value.elements() else { return nil }
    guard let program = elements.first else {
      value.report("empty list", remedy: "name a program and its arguments")
      return nil
    }
    let arguments = elements.dropFirst().map { $0.literalText() }
    guard let name = program.nonEmptyText() else { return nil }
    // A name without a slash is looked up in PATH, as in a shell.
    guard let name = name.contains("/") ? program.filePath() : name else { return nil }
    let commandLine = arguments.compactMap(\.self)
    return commandLine.count == arguments.count ? [name] + commandLine : nil
  }
}

/// Why a secret could not be fetched.
struct SecretError: Error {
  /// What is wrong; one sentence without its full stop.
  var message: String
  /// What to do; one sentence without its full stop.
  var remedy: String?
  /// Whether trying again may succeed without any change by a person.
  var isTransient = false

  func diagnostic(at location: SettingLocation) -> Diagnostic { location.diagnostic(message, remedy: remedy) }
}

/// Returns the value of an environment variable of this process.
@Sendable package func processEnvironment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

extension SecretSource {
  /// Returns the secret, which has no control characters. Blocks.
  func fetch(_ access: SecretAccess) throws(SecretError) -> String {
    switch self {
    case .environment(let name):
      guard let text = access.environment(name) else {
        throw SecretError(
          message: "environment variable \(name) is not set", remedy: "set it with export \(name)=…")
      }
      return try validated(text, from: "environment variable \(name)")
    case .file(let path):
      return try secret(Self.bytes(ofFile: path, atMost: access.sizeLimit), from: path)
    case .command(let commandLine, let environment):
      let command = SecretCommand(
        commandLine: commandLine, environment: environment, timeout: access.commandTimeout,
        sizeLimit: access.sizeLimit)
      return try secret(command.run(), from: "the output of \(command.name)")
    }
  }

  private static func bytes(ofFile path: String, atMost limit: Int) throws(SecretError) -> [UInt8] {
    var attributes = FileAttributes(mode: 0, owner: 0, isRegular: false)
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path, atMost: limit) { (found) throws(FileError) in attributes = found }
    } catch {
      throw SecretError(message: error.message, remedy: error.remedy, isTransient: error.isTransient)
    }
    guard attributes.isRegular else {
      throw SecretError(
        message: "\(path): not a regular file",
        remedy: "read it with {\"command\": [\"cat\", \(jsonLiteral(path))]}")
    }
    try checkPermissions(path, attributes, user: geteuid())
    return bytes
  }

  /// Throws if another user may read or write a secret.
  ///
  /// A file of root may be readable by its group, as for PostgreSQL's keys: this user can't change it, and mode 600
  /// would lock the user out.
  ///
  /// Container engines mount secrets as files that everyone in the container may read, and their mode can't be changed
  /// there: on a read-only mount, or in memory with mode 444 (Docker). Only the container's own processes see that mount.
  static func checkPermissions(
    _ path: String, _ attributes: FileAttributes, user: UInt32
  ) throws(SecretError) {
    let isOwnedByRoot = attributes.owner == 0 && user != 0
    let excessMode = attributes.mode & (isOwnedByRoot ? 0o026 : 0o066)
    guard excessMode != 0, !attributes.isMountedSecret(user: user) else { return }
    let verb = excessMode & 0o044 != 0 ? "read" : "replace"
    let name = shellQuoted(path)
    throw SecretError(
      message:
        "\(path): mode \(String(attributes.mode & 0o777, radix: 8)) lets other users \(verb) the secret",
      remedy: attributes.isOnReadOnlyMount
        ? "mount it with the owner \(user) and mode 0400 (\"uid\" and \"mode\" of a secret in Docker Compose), or chmod 600 the file that is mounted"
        : attributes.owner == user
          ? "chmod 600 \(name)" : "sudo chown \"$(id -un)\" \(name) && sudo chmod 600 \(name)")
  }

  private func secret(_ bytes: [UInt8], from origin: String) throws(SecretError) -> String {
    var bytes = bytes[...]
    if bytes.last == UInt8(ascii: "\n") {
      bytes.removeLast()
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SecretError(message: "\(origin): not UTF-8")
    }
    return try validated(text, from: origin)
  }

  private func validated(_ text: String, from origin: String) throws(SecretError) -> String {
    guard !text.isEmpty else { throw SecretError(message: "\(origin): empty") }
    guard !text.containsControlCharacter else {
      throw SecretError(
        message: "\(origin): contains a line break or another control character",
        remedy: "store only the secret, on one line")
    }
    return text
  }
}

/// Why a file with a secret was not read.
package struct SecretFileError: Error {
  /// What is wrong; one sentence without its full stop.
  package var message: String
  /// What to do; one sentence without its full stop.
  package var remedy: String?
  /// Whether the file does not exist.
  package var isMissing = false
  /// Whether trying again may succeed without any change by a person.
  package var isTransient = false

  /// Creates an error.
  package init(message: String, remedy: String? = nil, isMissing: Bool = false, isTransient: Bool = false) {
    self.message = message
    self.remedy = remedy
    self.isMissing = isMissing
    self.isTransient = isTransient
  }
}

/// Reads a file with a secret. Throws if users other than its owner may read or write it. Blocks.
package func readSecretFile(_ path: String, atMost limit: Int) throws(SecretFileError) -> [UInt8] {
  var attributes = FileAttributes(mode: 0, owner: 0, isRegular: false)
  let bytes: [UInt8]
  do throws(FileError) {
    bytes = try readFile(path, atMost: limit) { (found) throws(FileError) in attributes = found }
  } catch {
    throw SecretFileError(
      message: error.message, remedy: error.remedy, isMissing: error.kind == .notFound,
      isTransient: error.isTransient)
  }
  guard attributes.isRegular else { throw SecretFileError(message: "\(path): not a regular file") }
  do throws(SecretError) {
    try SecretSource.checkPermissions(path, attributes, user: geteuid())
  } catch {
    throw SecretFileError(message: error.message, remedy: error.remedy)
  }
  return bytes
}
