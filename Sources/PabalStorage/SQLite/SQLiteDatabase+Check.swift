internal import Glibc
public import PabalCore

extension SQLiteDatabase {
  /// Whether there is a file at `path`, or something that can't be examined.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT }

  /// Throws if no database could be created at `path`: creates one beside it, as at the first use, writes to it, and
  /// deletes it. Blocks.
  public static func checkCreatable(_ path: String) async throws(StorageError) {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let isNew = access(directory, F_OK) != 0
    let trial = "\(path).check-\(getpid())"
    defer {
      for suffix in ["", "-wal", "-shm"] { unlink(trial + suffix) }
      if isNew { rmdir(directory) }
    }
    let keys = Keyring(current: .random())
    do throws(StorageError) {
      let database = try SQLiteDatabase(trial, keys: keys)
      defer { database.close() }
      try await database.probe(keys: keys)
    } catch {
      throw StorageError(error.kind, place: path)
    }
  }
}
