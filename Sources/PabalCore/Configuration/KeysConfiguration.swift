/// `keys`: where the master key is.
public struct KeysConfiguration: Sendable {
  private enum Source: Sendable {
    case directory(String)
    case values(current: ConfiguredValue, previous: [ConfiguredValue])
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
    case (.values(let current, let previous), .values(let otherCurrent, let otherPrevious)):
      ([current] + previous).elementsEqual([otherCurrent] + otherPrevious) { $0.hasSameSource(as: $1) }
    default: false
    }
  }

  /// The keys; fetches secrets or reads files, and blocks. Nothing of a key is ever in an error.
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
        text.literal == nil ? "what \(text) gives is no key" : "the text is no key", remedy: remedy)
    }
    return key
  }

  private static let remedy = "make one: openssl rand -hex 32"

  static func read(_ value: FieldDecoder) -> KeysConfiguration? {
    value.object { object in
      let directory = object.optional("directory")
      let current = object.optional("current")
      let previous = object.optional("previous")
      if let directory {
        guard current == nil, previous == nil else {
          value.report("keys are either in a \"directory\" or given as \"current\" and \"previous\"")
          return nil
        }
        return directory.filePath().map { KeysConfiguration(directory: $0) }
      }
      guard let current else {
        value.report(
          "neither \"directory\" nor \"current\" is given",
          remedy: "add \"directory\": \"keys\", and Pabal makes a key there")
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
    guard let text = value.configuredValue() else { return nil }
    if let literal = text.literal, MasterKey(literal) == nil {
      value.report("the text is no key", remedy: remedy)
      return nil
    }
    return text
  }
}
