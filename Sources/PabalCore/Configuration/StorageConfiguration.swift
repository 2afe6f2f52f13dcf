/// `storage`: where what must not be lost is kept.
public struct StorageConfiguration: Sendable {
  /// The SQLite file, absolute.
  public let path: String

  /// The file that is taken where nothing is said: `pabal.sqlite` beside the configuration.
  static func defaultLocation(_ directory: String) -> StorageConfiguration {
    StorageConfiguration(path: directory == "/" ? "/pabal.sqlite" : "\(directory)/pabal.sqlite")
  }

  static func read(_ value: FieldDecoder) -> StorageConfiguration? {
    value.object { object in
      guard let path = object.optional("path") else { return defaultLocation(value.collector.directory) }
      return path.filePath().map(StorageConfiguration.init)
    }
  }
}
