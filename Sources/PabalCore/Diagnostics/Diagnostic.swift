public import PabalFormats

/// A position in a text file as editors count it: line and column from 1, columns in Unicode scalars.
public typealias SourcePosition = PabalFormats.SourcePosition

/// Something wrong that a person can mend: what, where, why, and what to do next.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  /// How bad it is.
  public enum Severity: String, Sendable, Hashable, Codable {
    /// Nothing works until it is mended.
    case error = "error"
    /// It works, but somebody should look.
    case warning = "warning"
  }

  /// How bad it is.
  public var severity: Severity
  /// The file it stands in, as the user named it.
  public var file: String?
  /// The place in the file.
  public var position: SourcePosition?
  /// The key's path in a JSON file, such as `transports.smtp.port`.
  public var path: String?
  /// What is wrong, and why; one sentence without its full stop.
  public var message: String
  /// What to do next; one sentence without its full stop.
  public var remedy: String?

  /// Something wrong that a person can mend.
  public init(
    _ message: String, remedy: String? = nil, file: String? = nil, position: SourcePosition? = nil,
    path: String? = nil, severity: Severity = .error
  ) {
    self.severity = severity
    self.file = file
    self.position = position
    self.path = path
    self.message = message
    self.remedy = remedy
  }

  /// `file:line:column: error: path: message; remedy`, as editors and compilers write it.
  public var description: String {
    var text = ""
    if let file {
      text += file
      if let position { text += ":\(position.line):\(position.column)" }
      text += ": "
    }
    text += "\(severity.rawValue): "
    if let path { text += "\(path): " }
    text += message
    if let remedy { text += "; \(remedy)" }
    return text
  }
}

/// All that is wrong at once, so that one run mends everything.
public struct Diagnostics: Error, Sendable, CustomStringConvertible {
  /// At least one of them.
  public var all: [Diagnostic]

  /// All that is wrong at once.
  public init(_ all: [Diagnostic]) { self.all = all }

  /// One line each.
  public var description: String { all.map(\.description).joined(separator: "\n") }
}
