/// What one reading of a configuration file found wrong, and what every part of it needs to know.
public final class DiagnosticCollector {
  /// The file, as the user named it.
  public let file: String?
  /// The folder that relative paths start from, absolute.
  public let directory: String
  /// How secrets are fetched later.
  public let secrets: SecretAccess
  /// All that is wrong so far.
  public private(set) var all: [Diagnostic] = []

  private var reservations: [String: String] = [:]

  /// An empty list for `file`, whose relative paths start from `directory`.
  public init(file: String?, directory: String, secrets: SecretAccess) {
    self.file = file
    self.directory = directory
    self.secrets = secrets
  }

  /// Adds an error.
  public func report(_ message: String, remedy: String? = nil, at position: SourcePosition, path: String) {
    all.append(
      Diagnostic(
        message, remedy: remedy, file: file, position: position, path: path.isEmpty ? nil : path))
  }

  /// Notes that the entry at `path` has `resource`, such as a file it writes, for itself; gives the path of the entry
  /// that has it already.
  public func reserve(_ resource: String, for path: String) -> String? {
    if let earlier = reservations[resource], earlier != path { return earlier }
    reservations[resource] = path
    return nil
  }

  /// All that is wrong in the order it stands in the file.
  public var sortedByPosition: [Diagnostic] {
    all.enumerated().sorted { a, b in
      let start = SourcePosition(line: 0, column: 0)
      return (a.element.position ?? start, a.offset) < (b.element.position ?? start, b.offset)
    }.map(\.element)
  }
}
