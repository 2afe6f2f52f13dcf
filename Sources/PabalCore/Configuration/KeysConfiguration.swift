/// `keys`: where the master keys are.
public struct KeysConfiguration: Sendable {
  private enum Source: Sendable {
    case directory(String)
    case values(current: ConfiguredValue, previous: [ConfiguredValue])
  }

  private let source: Source

  /// Keys in files of the absolute path `directory`. The first key is created when it is needed.
  public init(directory: String) { source = .directory(directory) }

  private init(_ source: Source) { self.source = source }

  /// The directory of the keys, if they are in files.
  public var directory: String? {
    guard case .directory(let path) = source else { return nil }
    return path
  }

  /// The location of the first key that a command prints; `nil` if there is none.
  package var commandLocation: SettingLocation? {
    guard case .values(let current, let previous) = source else { return nil }
    return ([current] + previous).first { value in
      if case .secret(.command) = value.source { true } else { false }
    }?.location
  }

  /// Whether the keys of `other` come from the same place, or are the same if they are written in the file.
  public func isSame(as other: KeysConfiguration) -> Bool {
    switch (source, other.source) {
    case (.directory(let path), .directory(let otherPath)): path == otherPath
    case (.values(let current, let previous), .values(let otherCurrent, let otherPrevious)):
      ([current] + previous).elementsEqual([otherCurrent] + otherPrevious) { $0.hasSameSource(as: $1) }
    default: false
    }
  }

  /// Returns the keys. Fetches secrets or reads files, and blocks. Errors never contain a part of a key.
  public func keyring() throws(Diagnostic) -> Keyring {
    switch source {
    case .directory(let path): return try Keyring.loadOrCreate(directory: path)
    case .values(let current, let previous):
      var previousKeys: [MasterKey] = []
      for text in previous { previousKeys.append(try KeysConfiguration.key(text)) }
      return Keyring(current: try KeysConfiguration.key(current), previous: previousKeys)
    }
  }

  private static func key(_ text: ConfiguredValue) throws(Diagnostic) -> MasterKey {
    guard let key = MasterKey(try text.fetch()) else {
      throw text.location.diagnostic(
        text.literal == nil ? "the value of \(text) is not a key" : "not a key", remedy: remedy)
    }
    return key
  }

  private static let remedy = "create one with openssl rand -hex 32"

  static func read(_ value: FieldDecoder) -> KeysConfiguration? {
    value.object { object in
      let directory = object.optional("directory")
      let current = object.optional("current")
      let previous = object.optional("previous")
      if let directory {
        guard current == nil, previous == nil else {
          value.report(
            "\"directory\" excludes \"current\" and \"previous\"", remedy: "remove one or the other")
          return nil
        }
        return directory.filePath().map { KeysConfiguration(directory: $0) }
      }
      guard let current else {
        value.report(
          "neither \"directory\" nor \"current\" is set",
          remedy: "add \"directory\": \"keys\", where Pabal creates a key")
        return nil
      }
      let key = configuredKey(current)
      let previousKeys = previous.map { $0.elements()?.map(configuredKey) ?? [nil] } ?? []
      let known = previousKeys.compactMap(\.self)
      guard let key, known.count == previousKeys.count else { return nil }
      return KeysConfiguration(.values(current: key, previous: known))
    }
  }

  private static func configuredKey(_ value: FieldDecoder) -> ConfiguredValue? {
    guard let text = value.configuredSecret() else { return nil }
    if let literal = text.literal, MasterKey(literal) == nil {
      value.report("not a key", remedy: remedy)
      return nil
    }
    return text
  }
}
