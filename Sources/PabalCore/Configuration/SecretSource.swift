internal import Glibc
internal import PabalFormats

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
    case .command(let commandLine):
      "{\"command\": [\(quoted(commandLine.first ?? ""))\(commandLine.count > 1 ? ", …" : "")]}"
    }
  }
}

/// How secrets are reached, so that tests reach others.
public struct SecretAccess: Sendable {
  /// The value of an environment variable, or `nil` when it isn't set.
  public var environment: @Sendable (String) -> String?
  /// How long a command may run before it is killed.
  public var commandTimeout: Duration
  /// The most bytes a file or command may give.
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
    if case .string = value.node.content {
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

/// Why a secret could not be had.
struct SecretError: Error {
  var message: String
  var remedy: String?
  /// Whether trying again may help without anybody's doing.
  var isTransient = false

  func diagnostic(at location: SettingLocation) -> Diagnostic { location.diagnostic(message, remedy: remedy) }
}

/// The value of a variable of this process's environment.
@Sendable func processEnvironment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

extension SecretSource {
  /// The secret, without control characters; blocks.
  func fetch(_ access: SecretAccess) throws(SecretError) -> String {
    switch self {
    case .environment(let name):
      guard let text = access.environment(name) else {
        throw SecretError(
          message: "the environment variable \(name) isn't set", remedy: "set it: export \(name)=…")
      }
      return try validated(text, from: "the environment variable \(name)")
    case .file(let path):
      return try secret(Self.bytes(ofFile: path, atMost: access.sizeLimit), from: path)
    case .command(let commandLine):
      let command = SecretCommand(
        commandLine: commandLine, timeout: access.commandTimeout, sizeLimit: access.sizeLimit)
      return try secret(command.run(), from: "the command \(command.name)")
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
        message: "\(path) is no regular file",
        remedy: "read it by {\"command\": [\"cat\", \(jsonLiteral(path))]}")
    }
    try checkPermissions(path, attributes, user: geteuid())
    return bytes
  }

  /// Nobody else may read or write a secret. As PostgreSQL has it, root may lend it to a group: then
  /// it isn't this user's to mend, and mode 600 would lock this user out.
  static func checkPermissions(
    _ path: String, _ attributes: FileAttributes, user: UInt32
  ) throws(SecretError) {
    let isOwnedByRoot = attributes.owner == 0 && user != 0
    let excessMode = attributes.mode & (isOwnedByRoot ? 0o026 : 0o066)
    guard excessMode != 0 else { return }
    let verb = excessMode & 0o044 != 0 ? "read" : "written"
    let name = shellQuoted(path)
    throw SecretError(
      message: "\(path) may be \(verb) by others: its mode is \(String(attributes.mode & 0o777, radix: 8))",
      remedy: attributes.owner == user
        ? "chmod 600 \(name)" : "sudo chown \"$(id -un)\" \(name) && sudo chmod 600 \(name)")
  }

  private func secret(_ bytes: [UInt8], from origin: String) throws(SecretError) -> String {
    var bytes = bytes[...]
    if bytes.last == UInt8(ascii: "\n") {
      bytes.removeLast()
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw SecretError(message: "\(origin) gives something that isn't UTF-8")
    }
    return try validated(text, from: origin)
  }

  private func validated(_ text: String, from origin: String) throws(SecretError) -> String {
    guard !text.isEmpty else { throw SecretError(message: "\(origin) is empty") }
    guard !text.containsControlCharacter else {
      throw SecretError(
        message: "\(origin) gives a line break or another control character inside the secret",
        remedy: "keep the secret alone, on one line")
    }
    return text
  }
}

extension FileError {
  /// Whether trying again may help without anybody's doing.
  var isTransient: Bool {
    switch kind {
    case .other(EMFILE), .other(ENFILE), .other(ENOMEM), .other(EIO), .other(ESTALE), .other(ETIMEDOUT): true
    case .notFound, .notPermitted, .directory, .tooLarge, .other: false
    }
  }
}

/// `word` as a shell takes it for one word.
package func shellQuoted(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"), 0x80...0xFF:
      true
    default: false
    }
  }
  if plain { return word }
  return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

/// A text as a JSON string, to be copied from an error into the file.
private func jsonLiteral(_ text: String) -> String {
  "\"" + printable(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}

/// Why a file that holds a secret was not read.
package struct SecretFileError: Error {
  /// What is wrong; one sentence without its full stop.
  package var message: String
  /// What to do next.
  package var remedy: String?
  /// Whether there is no such file.
  package var isMissing = false
  /// Whether trying again may help without anybody's doing.
  package var isTransient = false

  /// Why a file that holds a secret was not read.
  package init(message: String, remedy: String? = nil, isMissing: Bool = false, isTransient: Bool = false) {
    self.message = message
    self.remedy = remedy
    self.isMissing = isMissing
    self.isTransient = isTransient
  }
}

/// Reads a file that holds a secret, unless others than its owner may read or write it; blocks.
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
  guard attributes.isRegular else { throw SecretFileError(message: "\(path) is no regular file") }
  do throws(SecretError) {
    try SecretSource.checkPermissions(path, attributes, user: geteuid())
  } catch {
    throw SecretFileError(message: error.message, remedy: error.remedy)
  }
  return bytes
}
