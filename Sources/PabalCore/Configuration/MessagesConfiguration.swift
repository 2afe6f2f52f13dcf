internal import Glibc

/// `messages`: where the texts of the mails are.
public struct MessagesConfiguration: Sendable {
  /// A variable that every message may use.
  public struct Variable: Sendable {
    /// The name, as in `{{name}}`.
    public let name: String
    /// The value.
    public let value: ConfiguredValue

    /// Creates a variable.
    public init(name: String, value: ConfiguredValue) {
      self.name = name
      self.value = value
    }
  }

  /// The absolute directory of the messages.
  public let directory: String
  /// Where `directory` is set.
  package let directoryLocation: SettingLocation
  /// The absolute directory whose files take the place of those in `directory`, if one is set.
  package let overrides: String?
  /// The language that is used if no requested one exists (BCP 47).
  public let language: String
  /// The variables of this site, in the order written.
  public let variables: [Variable]

  /// Warnings about users who can change what mail says without being trusted. Reads the file system.
  public var warnings: [Diagnostic] {
    ([directory] + (overrides.map { access($0, F_OK) == 0 ? [$0] : [] } ?? [])).flatMap(warnings)
  }

  private func warnings(of directory: String) -> [Diagnostic] {
    do throws(TrustedPath.Problem) {
      _ = try TrustedPath(directory)
      return []
    } catch {
      let cause: String
      let remedy: String
      switch error.reason {
      case .worldWritable: (cause, remedy) = ("anyone", "chmod o-w \(shellQuoted(error.path))")
      case .owner(let user): (cause, remedy) = ("user \(user)", "see whether that user writes the messages")
      // Authors share a group.
      case .groupWritable, .error: return []
      }
      let place = error.path == directory ? "" : " through \(error.path)"
      return [
        Diagnostic(
          "\(cause) can change what mail says\(place)", remedy: remedy, file: directory, severity: .warning)
      ]
    }
  }

  static func read(_ value: FieldDecoder) -> MessagesConfiguration? {
    value.object { object in
      let field = object.required(
        "directory",
        remedy: "name the directory of the messages, for example \"directory\": \"Sources/Messages\"")
      let directory = field?.filePath()
      let overrides = object.optional("overrides").map { $0.filePath() }
      let language = object.required(
        "language", remedy: "name the default language, for example \"language\": \"ko\""
      )
      .flatMap(language)
      let variables = object.optional("variables").map(variables) ?? []
      guard let field, let directory, let language, let variables, overrides != .some(nil) else { return nil }
      return MessagesConfiguration(
        directory: directory, directoryLocation: field.location, overrides: overrides ?? nil,
        language: language, variables: variables)
    }
  }

  // Checks only the syntax of RFC 5646, section 2.1, so that it can't contain a path. Whether the language exists
  // depends on the messages.
  private static func language(_ value: FieldDecoder) -> String? {
    guard let text = value.nonEmptyText() else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    let fits = parts.allSatisfy { part in
      1...8 ~= part.count && part.allSatisfy { Character(Unicode.Scalar($0)).isASCIIAlphanumeric }
    }
    guard fits, text.utf8.count <= 35 else {
      value.report("\(quoted(text)) is not a language tag", remedy: "write it like \"ko\" or \"en-GB\"")
      return nil
    }
    return text
  }

  private static func variables(_ value: FieldDecoder) -> [Variable]? {
    guard let members = value.namedMembers() else { return nil }
    return members.compactMap { name, value in
      value.configuredValue().map { Variable(name: name, value: $0) }
    }
  }
}

extension Character {
  fileprivate var isASCIIAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}
