/// Collects the mistakes found while a JSON text is decoded, and holds what every part of the decoding needs.
///
/// It is the entry point of the one decoder that reads `config.json`, `message.json` and bodies of HTTP requests.
public final class DiagnosticCollector {
  /// The JSON text that is decoded, as its errors refer to it.
  public enum Subject: Sendable, Hashable {
    /// A file, by the name the user gave it, if any.
    case file(String?)
    /// The body of an HTTP request.
    case body
  }

  /// The JSON text that is decoded.
  public let subject: Subject
  /// The absolute directory that relative paths start from.
  public let directory: String
  /// How secrets are fetched later.
  public let secrets: SecretAccess
  /// Whether the text is `config.json`, in which texts in the syntax of variables, such as `${NAME}`, are mistakes.
  let isConfiguration: Bool
  /// The keys of `transports` in `config.json`, for the settings that name one; `nil` if there are none.
  var transportNames: [String]?
  /// The mistakes in the order they were found.
  public private(set) var all: [Diagnostic] = []

  /// The places of secrets that are written in the text.
  private(set) var plaintextSecrets: [SettingLocation] = []

  // A body is a stranger's: each of its ten thousand keys could be unknown, and be compared with all that are known.
  private static let bodyLimit = 20

  /// How many more mistakes are reported.
  var remaining: Int { subject == .body ? max(DiagnosticCollector.bodyLimit - all.count, 0) : .max }

  private var reservations: [String: String] = [:]

  /// Creates a collector without mistakes; a text without paths and secrets needs only its subject.
  public convenience init(subject: Subject, directory: String = "/", secrets: SecretAccess = .process) {
    self.init(subject: subject, directory: directory, secrets: secrets, isConfiguration: false)
  }

  init(subject: Subject, directory: String, secrets: SecretAccess, isConfiguration: Bool) {
    self.isConfiguration = isConfiguration
    self.subject = subject
    self.directory = directory
    self.secrets = secrets
  }

  /// The file, as the user named it; `nil` for a body.
  public var file: String? {
    guard case .file(let name) = subject else { return nil }
    return name
  }

  /// Parses `bytes` and returns what `read` makes of the object in it.
  ///
  /// Returns `nil` if `read` does, or if the text is not an object. A syntax error is the only mistake that is
  /// added, because what follows it is guesswork; all other mistakes are added at once.
  public func decode<Value>(_ bytes: [UInt8], _ read: (ObjectDecoder) -> Value?) -> Value? {
    do throws(Diagnostic) {
      return try FieldDecoder(parsing: bytes, collector: self).object(read)
    } catch {
      all.append(error)
      return nil
    }
  }

  /// Adds an error; a body has at most 20.
  public func report(_ message: String, remedy: String? = nil, at position: SourcePosition, path: String) {
    guard remaining > 0 else { return }
    all.append(
      Diagnostic(
        message, remedy: remedy, file: file, position: position, path: path.isEmpty ? nil : path))
  }

  /// Adds the place of a secret that is written in the text.
  func addPlaintextSecret(at location: SettingLocation) { plaintextSecrets.append(location) }

  /// Reserves `resource`, such as a file it writes, for the entry at `path`.
  ///
  /// Returns the path of the entry that has reserved it already, or `nil` if it was free.
  public func reserve(_ resource: String, for path: String) -> String? {
    if let earlier = reservations[resource], earlier != path { return earlier }
    reservations[resource] = path
    return nil
  }

  /// The mistakes in the order of their positions in the text.
  public var sortedByPosition: [Diagnostic] {
    all.enumerated().sorted { a, b in
      let start = SourcePosition(line: 0, column: 0)
      return (a.element.position ?? start, a.offset) < (b.element.position ?? start, b.offset)
    }.map(\.element)
  }
}
