package import PabalCommand
import PabalCore
import PabalStorage

extension CommandContext {
  /// Throws if `pabal serve` couldn't store mail: opens the storage as `pabal serve` does and writes what a start would,
  /// or, if there is none yet, creates one beside it and deletes it. Returns the storage, open, if there is one.
  package func checkedStorage() throws(CommandError) -> OpenStorage? {
    let (path, keys) = (configuration.storage.path, configuration.keys)
    guard configuration.storage.postgresql != nil || SQLiteDatabase.exists(path) else {
      do throws(Diagnostic) {
        if let directory = keys.directory {
          try Keyring.checkUsable(directory: directory)
        } else {
          _ = try keys.keyring()
        }
      } catch {
        throw CommandError(.configuration, [error])
      }
      try blockingAwait { () throws(CommandError) in
        do throws(StorageError) {
          try await SQLiteDatabase.checkCreatable(path)
        } catch {
          throw CommandError(error)
        }
      }
      return nil
    }
    let storage = try storage()
    try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        try await storage.database.probe(keys: storage.keys)
      } catch {
        storage.database.close()
        throw CommandError(error)
      }
    }
    return storage
  }
}
