/// The location of a setting.
public struct SettingLocation: Sendable, Hashable {
  /// The file, as the user named it.
  public var file: String?
  /// The position in the file, if it came from one.
  public var position: SourcePosition?
  /// The path of the key, such as `transports.smtp.password`.
  public var path: String

  /// Creates a location.
  public init(file: String? = nil, position: SourcePosition? = nil, path: String) {
    self.file = file
    self.position = position
    self.path = path
  }

  /// Returns an error at this location.
  public func diagnostic(_ message: String, remedy: String? = nil) -> Diagnostic {
    Diagnostic(message, remedy: remedy, file: file, position: position, path: path)
  }
}

/// A text of the configuration: written in the file, or a secret that is fetched when it is needed.
///
/// No description, debugger or `dump` shows it, because even a text in the file may be a password.
public struct ConfiguredValue: Sendable, RedactedDescription {
  /// The sources of a text.
  public enum Source: Sendable, RedactedDescription {
    /// The text is written in the file.
    case literal(String)
    /// The text is fetched.
    case secret(SecretSource)

    /// The source, without the text itself.
    public var description: String {
      switch self {
      case .literal: "a text in the file"
      case .secret(let source): source.description
      }
    }
  }

  /// The source of the text.
  public let source: Source
  /// The location of the setting.
  public let location: SettingLocation
  private let access: SecretAccess
  /// Converts a fetched secret. A literal is converted already.
  private let transform: (@Sendable (String) throws(SettingError) -> String)?

  /// Creates a value from `source` at `location`.
  public init(_ source: Source, at location: SettingLocation, access: SecretAccess = .process) {
    self.init(source, at: location, access: access, transform: nil)
  }

  private init(
    _ source: Source, at location: SettingLocation, access: SecretAccess,
    transform: (@Sendable (String) throws(SettingError) -> String)?
  ) {
    self.source = source
    self.location = location
    self.access = access
    self.transform = transform
  }

  /// Returns the same value, which `transform` converts whenever it is fetched.
  func transformed(
    _ transform: @escaping @Sendable (String) throws(SettingError) -> String
  ) -> ConfiguredValue {
    ConfiguredValue(source, at: location, access: access, transform: transform)
  }

  /// The text, if it is written in the file.
  public var literal: String? {
    guard case .literal(let text) = source else { return nil }
    return text
  }

  /// Whether `other` is the same text, or is fetched from the same place.
  func hasSameSource(as other: ConfiguredValue) -> Bool {
    switch (source, other.source) {
    case (.literal(let text), .literal(let otherText)): text == otherText
    case (.secret(let source), .secret(let otherSource)): source == otherSource
    default: false
    }
  }

  /// Returns the text, which has no control characters.
  ///
  /// Fetches a secret each time, which may block for as long as its command runs.
  public func fetch() throws(Diagnostic) -> String {
    do throws(SecretError) {
      return try fetchText()
    } catch {
      throw error.diagnostic(at: location)
    }
  }

  /// Returns why the text can't be fetched until a person corrects the set-up; `nil` if it can, or if only a command
  /// failed, which may work later. Blocks.
  func missingDiagnostic() -> Diagnostic? {
    switch source {
    case .literal, .secret(.command): return nil
    case .secret(.environment), .secret(.file):
      do throws(SecretError) {
        _ = try fetchText()
        return nil
      } catch {
        return error.isTransient ? nil : error.diagnostic(at: location)
      }
    }
  }

  func fetchText() throws(SecretError) -> String {
    guard case .secret(let secret) = source else { return literal ?? "" }
    let text = try secret.fetch(access)
    do throws(SettingError) {
      return try transform?(text) ?? text
    } catch {
      throw SecretError(message: "the value of \(secret): \(error.message)", remedy: error.remedy)
    }
  }

  /// The source, without the text itself.
  public var description: String { source.description }
}
