/// `plugins`: where transports of others are.
public struct PluginsConfiguration: Sendable {
  /// The folders looked in first, absolute, in order.
  public let directories: [String]

  /// The folders looked in first.
  public init(directories: [String] = []) { self.directories = directories }

  static func read(_ value: FieldDecoder) -> PluginsConfiguration? {
    value.object { object in
      let directories = object.optional("directories")?.elements() ?? []
      return PluginsConfiguration(directories: directories.compactMap { $0.filePath() })
    }
  }
}
