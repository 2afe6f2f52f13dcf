internal import GRDB
internal import Glibc
public import PabalCore
internal import Synchronization

/// A SQLite file that several processes may share.
///
/// It uses `synchronous=FULL` with a write-ahead log: a commit costs one fsync, and what was acknowledged survives a
/// power failure.
public final class SQLiteDatabase: Sendable {
  /// The path of the file, as it was passed.
  public let path: String
  let pool: DatabasePool
  let damage = DamageRecord()
  private let commits: CommitQueue
  private let files: DatabaseFileWatch

  /// Opens the file at `path`, creates it with mode 0600 if it doesn't exist, and migrates it to this version.
  /// Blocks.
  ///
  /// - Parameters:
  ///   - path: The path of the file.
  ///   - keyCheck: Identifies the master key (`Keyring.checkValue`); the file must have been created with it.
  ///   - previousKeyChecks: Identify earlier keys. A file created with one of them is reassigned to the current key.
  ///   - acceptsMoving: Whether a database that is being moved may be opened.
  ///   - busyTimeout: How long a call waits while another process has locked the file.
  public init(
    _ path: String, keyCheck: [UInt8], previousKeyChecks: [[UInt8]] = [],
    busyTimeout: Duration = .seconds(10), acceptsMoving: Bool = false
  ) throws(StorageError) {
    self.path = path
    try DatabaseFile.prepare(path)
    let pool = try SQLiteDatabase.storageCall(path) {
      try DatabasePool(path: path, configuration: SQLiteDatabase.configuration(busyTimeout))
    }
    self.pool = pool
    files = try SQLiteDatabase.storageCall(path) {
      try pool.writeWithoutTransaction { database in
        // Because GRDB's pool opens its writer with NORMAL, which doesn't sync commits.
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try SQLiteMigration.migrate(database, place: path)
        try KeyCheck(current: keyCheck, previous: previousKeyChecks).verify(database, place: path)
        if !acceptsMoving, try database.meta(movingName) != nil { throw StorageError(.moving, place: path) }
        return try DatabaseFileWatch(path, database)
      }
    }
    commits = CommitQueue(pool, path: path, files: files, damage: damage)
  }

  /// Closes the file after pending calls have finished; later calls fail. Blocks.
  ///
  /// The write-ahead log is merged into the file, unless another process is using it.
  public func close() {
    try? pool.writeWithoutTransaction { database in
      // After one of the files was replaced, another process may have a log of its own for this database.
      try files.check()
      // A short timeout, because the last process that closes the file merges the log anyway.
      try database.execute(sql: "PRAGMA busy_timeout = 100")
      _ = try Row.fetchAll(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }
    files.end()
    try? pool.close()
  }

  /// Runs `job` in a transaction and returns when it is durable. Concurrent jobs share a commit; an error that `job`
  /// throws undoes its own changes only. `job` may run more than once.
  func write<Value: Sendable>(
    _ job: @escaping @Sendable (Database) throws -> Value
  ) async throws(StorageError) -> Value { try await commits.write(job) }

  /// Runs `job` on the last committed state, concurrently with writes.
  func read<Value: Sendable>(
    _ job: @escaping @Sendable (Database) throws -> Value
  ) async throws(StorageError) -> Value {
    // What a deleted file says is no longer true for any other process.
    try files.check()
    do {
      return try await pool.read(job)
    } catch {
      let error = StorageError(error, place: path)
      damage.record(error)
      throw error
    }
  }

  private static func configuration(_ busyTimeout: Duration) -> GRDB.Configuration {
    var configuration = GRDB.Configuration()
    configuration.maximumReaderCount = 2
    configuration.busyMode = .callback(busyHandler(busyTimeout))
    configuration.prepareDatabase { database in
      // A checkpoint only every 32 MiB (8,192 pages), because it writes a page once however many commits changed it.
      try database.execute(
        sql: """
          PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 8192;
          PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8000;
          PRAGMA temp_store = MEMORY
          """)
    }
    return configuration
  }

  // SQLite's own handler sleeps up to 100 ms at a time, which is far longer than a commit takes.
  private static func busyHandler(_ busyTimeout: Duration) -> @Sendable (Int) -> Bool {
    let since = Mutex(ContinuousClock.now)
    return { tries in
      let began = since.withLock { since in
        if tries == 0 { since = ContinuousClock.now }
        return since
      }
      guard ContinuousClock.now - began < busyTimeout else { return false }
      usleep(tries < 20 ? 250 : 2_000)
      return true
    }
  }

  static func storageCall<Value>(_ path: String, _ body: () throws -> Value) throws(StorageError) -> Value {
    do {
      return try body()
    } catch {
      throw StorageError(error, place: path)
    }
  }
}

/// The file of a database, before SQLite opens it.
enum DatabaseFile {
  /// Creates the file with mode 0600 if it doesn't exist. Throws if it can't be used.
  static func prepare(_ path: String) throws(StorageError) {
    // An existing file isn't opened, because closing the descriptor would drop the locks that other connections of this
    // process hold (https://www.sqlite.org/howtocorrupt.html, 2.2).
    if access(path, F_OK) != 0 {
      guard errno == ENOENT else { throw StorageError(errno: errno, place: path) }
      try create(path)
    }
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw StorageError(.notFile, place: path)
    }
    guard faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 else {
      throw StorageError(errno: errno, place: path)
    }
    guard faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
    // SQLite creates the log and the shared-memory file in the same directory.
    let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
  }

  /// Distinguishes a file from one that replaced it.
  struct Identity: Sendable, Hashable {
    private let device: dev_t
    private let inode: ino_t

    /// The identity of the file at `path`; `nil` if it doesn't exist.
    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      (device, inode) = (status.st_dev, status.st_ino)
    }
  }

  /// The path behind symbolic links.
  static func resolved(_ path: String) -> String {
    guard let found = realpath(path, nil) else { return path }
    defer { free(found) }
    return String(cString: found)
  }

  private static func create(_ path: String) throws(StorageError) {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      guard mkdir(String(path[..<slash]), 0o700) == 0 || errno == EEXIST else {
        throw StorageError(errno: errno, place: path)
      }
    }
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else {
      // Another process has just created it.
      if errno == EEXIST { return }
      throw StorageError(errno: errno, place: path)
    }
    Glibc.close(file)
  }
}

extension StorageError {
  init(errno number: Int32, place: String) {
    let kind: Kind =
      switch number {
      case ENOSPC, EDQUOT: .full
      case EROFS: .readOnly
      case EACCES, EPERM: .notPermitted
      default: .other(String(cString: strerror(number)))
      }
    self.init(kind, place: place)
  }
}

/// Checks that a database belongs to a master key.
struct KeyCheck {
  let current: [UInt8]
  let previous: [[UInt8]]

  /// Throws if the database belongs to another key. A new database, or one of a previous key, is assigned to this one.
  func verify(_ database: Database, place: String) throws {
    let found = try KeyCheck.value(in: database)
    if found == current { return }
    try database.inTransaction(.immediate) {
      // Read again inside the transaction, because another process may have been faster.
      let found = try KeyCheck.value(in: database)
      guard found.map({ $0 == current || previous.contains($0) }) ?? true else {
        throw StorageError(.wrongKey, place: place)
      }
      try database.run(
        "INSERT INTO meta (name, value) VALUES ('key', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [current])
      return .commit
    }
  }

  private static func value(in database: Database) throws -> [UInt8]? {
    try database.first("SELECT value FROM meta WHERE name = 'key'") { $0.bytes(0) }
  }
}
