internal import GRDB
internal import Glibc
public import PabalCore
internal import Synchronization

/// One SQLite file that several processes share; what is waiting to be written goes into one commit.
///
/// `synchronous=FULL` with a write-ahead log: a commit costs one fsync, and whatever was answered is there
/// after a power cut.
public final class SQLiteDatabase: Sendable {
  /// The file, as it was named.
  public let path: String
  private let pool: DatabasePool
  private let queue = Mutex(Queue())
  // Which file it was when it was opened.
  private let file: DatabaseFile.Identity?

  /// Opens the file at `path`, which is made (0600) if it isn't there, and brings it up to this version;
  /// blocks.
  ///
  /// `keyCheck` shows that the master key is the one the file was made with (`Keyring.checkValue`); a file
  /// made with one of `previousKeyChecks` belongs to the new key from now on. Where another process holds
  /// the file, a call waits for at most `busyTimeout`.
  public init(
    _ path: String, keyCheck: [UInt8], previousKeyChecks: [[UInt8]] = [], busyTimeout: Duration = .seconds(10)
  ) throws(StorageError) {
    self.path = path
    try DatabaseFile.prepare(path)
    file = DatabaseFile.Identity(path)
    pool = try SQLiteDatabase.storageCall(path) {
      try DatabasePool(path: path, configuration: SQLiteDatabase.configuration(busyTimeout))
    }
    try SQLiteDatabase.storageCall(path) {
      try pool.writeWithoutTransaction { database in
        // Opening, GRDB's pool takes its writer down to NORMAL, which syncs no commit at all.
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try SQLiteMigration.migrate(database, place: path)
        try KeyCheck(current: keyCheck, previous: previousKeyChecks).verify(database, place: path)
      }
    }
  }

  /// Closes the file once what was asked for is done; later calls fail. Blocks.
  ///
  /// What the log beside it held is then in the file, unless another process is in the way.
  public func close() {
    try? pool.writeWithoutTransaction { database in
      // Other processes are not waited for: the last of them does it.
      try database.execute(sql: "PRAGMA busy_timeout = 100")
      _ = try Row.fetchAll(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
    }
    try? pool.close()
  }

  /// Refuses where the file at the path is not the one that was opened any more.
  func checkFile() throws(StorageError) {
    guard file == DatabaseFile.Identity(path) else { throw StorageError(.gone, place: path) }
  }

  /// Runs `job` in a transaction, together with what others ask for at the same time, and answers when it
  /// is durable; what `job` throws undoes what it did, and nothing else.
  func write<Value: Sendable>(
    _ job: @escaping @Sendable (Database) throws -> Value
  ) async throws(StorageError) -> Value {
    let answer = await withCheckedContinuation { continuation in
      let job = ValueCommitJob(job, place: path) { continuation.resume(returning: $0) }
      let isFirst = queue.withLock { queue in
        queue.jobs.append(job)
        defer { queue.isDraining = true }
        return !queue.isDraining
      }
      if isFirst { pool.asyncWriteWithoutTransaction { self.drain($0) } }
    }
    return try answer.get()
  }

  /// Runs `job` on the file as the last commit left it, beside whatever is being written.
  func read<Value: Sendable>(
    _ job: @escaping @Sendable (Database) throws -> Value
  ) async throws(StorageError) -> Value {
    do {
      return try await pool.read(job)
    } catch {
      throw StorageError(error, place: path)
    }
  }

  private struct Queue {
    var jobs: [any CommitJob] = []
    var isDraining = false
  }

  private func drain(_ database: Database) {
    while true {
      let jobs = take(SQLiteDatabase.maxJobsPerCommit, endsDraining: true)
      guard !jobs.isEmpty else { return }
      commit(jobs, to: database)
    }
  }

  /// The next jobs that wait; without any the draining ends, if it is to end.
  private func take(_ count: Int, endsDraining: Bool) -> [any CommitJob] {
    queue.withLock { queue in
      let next = Array(queue.jobs.prefix(count))
      queue.jobs.removeFirst(next.count)
      if next.isEmpty, endsDraining { queue.isDraining = false }
      return next
    }
  }

  /// Runs `jobs`, and those that come meanwhile, commits once, and answers them all.
  private func commit(_ jobs: [any CommitJob], to database: Database) {
    var jobs = jobs
    var problem = transaction(on: database) {
      var done = 0
      repeat {
        for job in jobs[done...] { try run(job.run, on: database) }
        done = jobs.count
        // Whoever was answered by the last commit is back soon, and one commit costs as much as many jobs.
        // A transaction of everything would keep other processes out for too long.
        jobs += take(SQLiteDatabase.maxJobsPerCommit - done, endsDraining: false)
      } while jobs.count > done
    }
    // Savepoints for all would cost each of them half as much again, for the rare one that fails.
    if problem != nil, jobs.count > 1 {
      problem = transaction(on: database) {
        for job in jobs { try run(job.runInSavepoint, on: database) }
      }
    }
    for job in jobs { job.answer(problem) }
  }

  /// Does `work` in one transaction; gives the problem that undid it.
  private func transaction(on database: Database, _ work: () throws -> Void) -> StorageError? {
    do {
      try database.beginTransaction(.immediate)
      try work()
      try database.commit()
      return nil
    } catch {
      try? database.rollback()
      return StorageError(error, place: path)
    }
  }

  private func run(_ job: (Database) throws -> Void, on database: Database) throws {
    try job(database)
    // On a full disk SQLite undoes the whole transaction by itself.
    guard database.isInsideTransaction else { throw StorageError(.full, place: path) }
  }

  private static let maxJobsPerCommit = 512

  private static func configuration(_ busyTimeout: Duration) -> GRDB.Configuration {
    var configuration = GRDB.Configuration()
    configuration.maximumReaderCount = 2
    configuration.busyMode = .callback(busyHandler(busyTimeout))
    configuration.prepareDatabase { database in
      // A checkpoint every 32 MiB: each writes a page once, however many commits changed it.
      try database.execute(
        sql: """
          PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 8192;
          PRAGMA journal_size_limit = 33554432; PRAGMA cache_size = -8000;
          PRAGMA temp_store = MEMORY
          """)
    }
    return configuration
  }

  // SQLite's own handler sleeps up to 100 ms at a time, far longer than a commit takes.
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

/// The file itself, before SQLite sees it.
enum DatabaseFile {
  /// Makes the file for its owner alone if it isn't there; says clearly why it can't be used.
  static func prepare(_ path: String) throws(StorageError) {
    // Never opened where it exists: closing a descriptor drops the locks that this process's other
    // connections have on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    if access(path, F_OK) != 0 {
      guard errno == ENOENT else { throw StorageError(errno: errno, place: path) }
      try make(path)
    }
    guard faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 else {
      throw StorageError(errno: errno, place: path)
    }
    guard faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
    // Its log and its shared memory stand beside it.
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
  }

  /// What tells a file from one that took its place.
  struct Identity: Sendable, Hashable {
    private let device: dev_t
    private let inode: ino_t

    /// The file at `path`; `nil` where there is none.
    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      (device, inode) = (status.st_dev, status.st_ino)
    }
  }

  private static func make(_ path: String) throws(StorageError) {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      guard mkdir(String(path[..<slash]), 0o700) == 0 || errno == EEXIST else {
        throw StorageError(errno: errno, place: path)
      }
    }
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else {
      // Another process made it a moment ago.
      if errno == EEXIST { return }
      throw StorageError(errno: errno, place: path)
    }
    Glibc.close(file)
  }
}

extension StorageError {
  fileprivate init(errno number: Int32, place: String) {
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

/// What shows whether a database and a master key belong together.
struct KeyCheck {
  let current: [UInt8]
  let previous: [[UInt8]]

  /// Refuses another key than the database's; a new database gets this one.
  func verify(_ database: Database, place: String) throws {
    let found = try KeyCheck.value(in: database)
    if found == current { return }
    try database.inTransaction(.immediate) {
      // Another process may have been faster.
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
