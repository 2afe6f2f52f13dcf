/// `keys`: where the master key is.
public struct KeysConfiguration: Sendable {
  private enum Source: Sendable {
    case directory(String)
    case given(current: ConfiguredText, previous: [ConfiguredText])
  }

  private let source: Source

  /// Keys in files of a folder, an absolute path, the first of which is made when it is asked for.
  public init(directory: String) { source = .directory(directory) }

  private init(_ source: Source) { self.source = source }

  /// The folder, where they are in one.
  public var directory: String? {
    guard case .directory(let path) = source else { return nil }
    return path
  }

  /// Whether the keys come from the same place, or are the same where they are written in place.
  public func isSame(as other: KeysConfiguration) -> Bool {
    switch (source, other.source) {
    case (.directory(let path), .directory(let otherPath)): path == otherPath
    case (.given(let current, let previous), .given(let otherCurrent, let otherPrevious)):
      ([current] + previous).elementsEqual([otherCurrent] + otherPrevious) { $0.hasSameSource(as: $1) }
    default: false
    }
  }

  /// The keys; fetches secrets or reads files, and blocks. Nothing of a key is ever in an error.
  public func keyring() throws(Diagnostic) -> Keyring {
    switch source {
    case .directory(let path): return try Keyring.readOrMake(directory: path)
    case .given(let current, let previous):
      var older: [MasterKey] = []
      for text in previous { older.append(try KeysConfiguration.key(text)) }
      return Keyring(current: try KeysConfiguration.key(current), previous: older)
    }
  }

  private static func key(_ text: ConfiguredText) throws(Diagnostic) -> MasterKey {
    guard let key = MasterKey(try text.fetch()) else {
      throw text.place.diagnostic(
        text.literal == nil ? "what \(text) gives is no key" : "the text is no key", cure: cure)
    }
    return key
  }

  private static let cure = "make one: openssl rand -hex 32"

  static func read(_ value: ConfigurationValue) -> KeysConfiguration? {
    value.object { object in
      let directory = object.optional("directory")
      let current = object.optional("current")
      let previous = object.optional("previous")
      if let directory {
        guard current == nil, previous == nil else {
          value.complain("keys are either in a \"directory\" or given as \"current\" and \"previous\"")
          return nil
        }
        return directory.filePath().map { KeysConfiguration(directory: $0) }
      }
      guard let current else {
        value.complain(
          "neither \"directory\" nor \"current\" is given",
          cure: "add \"directory\": \"keys\", and Pabal makes a key there")
        return nil
      }
      let key = keyText(current)
      let older = previous.map { $0.elements()?.map(keyText) ?? [nil] } ?? []
      let known = older.compactMap(\.self)
      guard let key, known.count == older.count else { return nil }
      return KeysConfiguration(.given(current: key, previous: known))
    }
  }

  private static func keyText(_ value: ConfigurationValue) -> ConfiguredText? {
    guard let text = value.configuredText() else { return nil }
    if let literal = text.literal, MasterKey(literal) == nil {
      value.complain("the text is no key", cure: cure)
      return nil
    }
    return text
  }
}
