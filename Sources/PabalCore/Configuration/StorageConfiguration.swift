/// `storage`: where mail and verifications are stored.
public struct StorageConfiguration: Sendable {
  /// The absolute path of the SQLite file, which isn't used with PostgreSQL.
  public let path: String
  /// The PostgreSQL database; `nil`: the SQLite file.
  public private(set) var postgresql: PostgreSQLConfiguration?

  /// The path of the database if it is a file.
  package var file: String? { postgresql == nil ? path : nil }

  /// Its name for a person: the path, or `postgresql`.
  package var name: String { file ?? "postgresql" }

  /// The default: `pabal.sqlite` in `directory`.
  static func defaultLocation(_ directory: String) -> StorageConfiguration {
    StorageConfiguration(path: directory == "/" ? "/pabal.sqlite" : "\(directory)/pabal.sqlite")
  }

  private init(path: String) { self.path = path }

  /// Whether `other` is the same database.
  package func isSame(as other: StorageConfiguration) -> Bool {
    switch (postgresql, other.postgresql) {
    case (nil, nil): path == other.path
    case (let one?, let other?): one.isSame(as: other)
    default: false
    }
  }

  static func read(_ value: FieldDecoder) -> StorageConfiguration? {
    value.object { object in
      let path = object.optional("path")
      let postgresql = object.optional("postgresql")
      if let path, postgresql != nil {
        path.report("a storage has a path or a PostgreSQL database", remedy: "remove one of them")
        return nil
      }
      var storage = defaultLocation(value.collector.directory)
      if let path {
        guard let file = path.filePath() else { return nil }
        storage = StorageConfiguration(path: file)
      }
      if let postgresql {
        guard let database = PostgreSQLConfiguration.read(postgresql) else { return nil }
        storage.postgresql = database
      }
      return storage
    }
  }
}
