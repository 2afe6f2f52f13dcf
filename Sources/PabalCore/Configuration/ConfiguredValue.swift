/// Where a setting stands.
public struct SettingLocation: Sendable, Hashable {
  /// The file, as the user named it.
  public var file: String?
  /// The place in the file, where it came from one.
  public var position: SourcePosition?
  /// The key's path, such as `transports.smtp.password`.
  public var path: String

  /// Where a setting stands.
  public init(file: String? = nil, position: SourcePosition? = nil, path: String) {
    self.file = file
    self.position = position
    self.path = path
  }

  /// An error that stands here.
  public func diagnostic(_ message: String, remedy: String? = nil) -> Diagnostic {
    Diagnostic(message, remedy: remedy, file: file, position: position, path: path)
  }
}

/// Text that the configuration gives, in clear or by a secret that is fetched when it is needed.
///
/// It may be a password even in clear, so no description, debugger or `dump` shows it.
public struct ConfiguredValue: Sendable, RedactedDescription {
  /// Where the text comes from.
  public enum Source: Sendable, RedactedDescription {
    /// It stands in the file.
    case literal(String)
    /// It is fetched.
    case secret(SecretSource)

    /// Where it comes from, without the text itself.
    public var description: String {
      switch self {
      case .literal: "a text written in place"
      case .secret(let source): source.description
      }
    }
  }

  /// Where the text comes from.
  public let source: Source
  /// Where it stands.
  public let location: SettingLocation
  private let access: SecretAccess
  /// What makes of a fetched secret the form wanted; a literal has it already.
  private let transform: (@Sendable (String) throws(SettingError) -> String)?

  /// Text from `source`, at `location`.
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

  /// The same text, brought by `transform` into the form wanted whenever it is fetched.
  func transformed(
    _ transform: @escaping @Sendable (String) throws(SettingError) -> String
  ) -> ConfiguredValue {
    ConfiguredValue(source, at: location, access: access, transform: transform)
  }

  /// The text if it stands in the file.
  public var literal: String? {
    guard case .literal(let text) = source else { return nil }
    return text
  }

  /// Whether it is the same text, or is fetched from the same place.
  func hasSameSource(as other: ConfiguredValue) -> Bool {
    switch (source, other.source) {
    case (.literal(let text), .literal(let otherText)): text == otherText
    case (.secret(let source), .secret(let otherSource)): source == otherSource
    default: false
    }
  }

  /// The text, without control characters; a secret is fetched anew each time, which may block for
  /// as long as a command runs.
  public func fetch() throws(Diagnostic) -> String {
    do throws(SecretError) {
      return try fetchText()
    } catch {
      throw error.diagnostic(at: location)
    }
  }

  func fetchText() throws(SecretError) -> String {
    guard case .secret(let secret) = source else { return literal ?? "" }
    let text = try secret.fetch(access)
    do throws(SettingError) {
      return try transform?(text) ?? text
    } catch {
      throw SecretError(message: "what \(secret) gives: \(error.message)", remedy: error.remedy)
    }
  }

  /// Where the text comes from, without the text itself.
  public var description: String { source.description }
}

/// A value whose `dump`, debugger view and interpolation show its description alone.
package protocol RedactedDescription: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{}

extension RedactedDescription {
  /// The description.
  public var debugDescription: String { description }
  /// A mirror without children.
  public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
