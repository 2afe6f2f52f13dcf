public import PabalFormats

/// A position in a text file as editors count it: line and column from 1, columns in Unicode scalars.
public typealias SourcePosition = PabalFormats.SourcePosition

/// A mistake that a person can correct: what is wrong, where, why, and what to do.
public struct Diagnostic: Error, Sendable, Hashable, CustomStringConvertible {
  /// How serious it is.
  public enum Severity: String, Sendable, Hashable, Codable {
    /// Must be corrected before anything works.
    case error = "error"
    /// Works, but deserves attention.
    case warning = "warning"
  }

  /// How serious it is.
  public var severity: Severity
  /// The file, as the user named it.
  public var file: String?
  /// The position in the file.
  public var position: SourcePosition?
  /// The path of the key in a JSON file, such as `transports.smtp.port`.
  public var path: String?
  /// What is wrong, and why; one sentence without its full stop.
  public var message: String
  /// What to do; one sentence without its full stop.
  public var remedy: String?

  /// Creates a diagnostic.
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

/// Several mistakes thrown at once, so that one run shows them all.
public struct Diagnostics: Error, Sendable, CustomStringConvertible {
  /// The mistakes; at least one.
  public var all: [Diagnostic]

  /// Creates an error of at least one mistake.
  public init(_ all: [Diagnostic]) { self.all = all }

  /// One line for each mistake.
  public var description: String { all.map(\.description).joined(separator: "\n") }
}
