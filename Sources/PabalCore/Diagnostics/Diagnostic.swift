/// A place in a file, as an editor counts: both from 1, columns in Unicode scalars.
public struct SourcePosition: Sendable, Hashable, Comparable {
  /// The line, from 1.
  public var line: Int
  /// The column, from 1, in Unicode scalars.
  public var column: Int

  /// A place in a file.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// Orders places as they are read.
  public static func < (a: SourcePosition, b: SourcePosition) -> Bool {
    (a.line, a.column) < (b.line, b.column)
  }
}

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
