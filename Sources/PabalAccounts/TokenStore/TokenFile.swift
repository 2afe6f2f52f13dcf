internal import Glibc
internal import PabalCore
internal import PabalFormats

/// The token file of an account, with its lock file and the state file of the last failure.
struct TokenFile: Sendable {
  let path: String

  // Longer than the slowest renewal: three attempts of 30 seconds, with the waits between.
  private static let lockTimeout = Duration.seconds(100)

  /// Returns the stored token; `nil` if the file doesn't exist or is empty, as after a logout from a file that is a mount
  /// of its own.
  func read() throws(SecretFileError) -> StoredToken? {
    do throws(SecretFileError) {
      try FileOwnership.rejectForeignOwner(path)
      if try readSecretFile(path, atMost: SecretDocument.sizeLimit).allSatisfy({ $0 == 0x20 || $0 == 0x0A }) {
        return nil
      }
      return try StoredToken(SecretDocument.read(path, as: "token file", remedy: nil))
    } catch {
      if error.isMissing { return nil }
      var problem = error
      if problem.remedy == nil, !problem.isTransient {
        problem.remedy = "move it away, then log in again with `pabal account login NAME`"
      }
      throw problem
    }
  }

  /// Why tokens can't be stored, as far as permissions show it, without writing anything; `nil` if they probably can.
  var permissionProblem: FileWriteError? {
    let real = PrivateFile.resolvedPath(of: path)
    let isFileWritable = access(real, W_OK) == 0
    // A file on a read-only file system in a writable folder is a mount of its own, which can't be replaced.
    if !isFileWritable, errno == EROFS { return FileWriteError(path: path, number: EROFS) }
    guard !isFileWritable, access(PrivateFile.parent(of: real), W_OK | X_OK) != 0 else { return nil }
    return FileWriteError(path: path, number: errno)
  }

  /// Makes sure that a token can be stored, with the operations that will store it; the caller must hold `lock`.
  func prepare() throws(FileWriteError) -> PreparedFile {
    try PreparedFile.prepare(path)
  }

  /// Locks the token file against other processes; blocks. Returns `nil` after 100 seconds.
  ///
  /// Calls `onWait` once, if it takes more than a second. Locks the token file itself too, because containers that share
  /// only this file, as a mount, don't share the lock file, and because a read-only folder can't have one. Throws if the
  /// token file exists and can't be locked, or if it can't be opened and the lock file can't be locked either.
  func lock(
    _ dependencies: AccountDependencies, onWait: () -> Void = {}
  ) throws(FileWriteError) -> TokenFileLock? {
    let pause = dependencies.pause
    var separate: FileLock?
    var problem: FileWriteError?
    do throws(FileWriteError) {
      separate = try FileLock.acquire(lockPath, atMost: Self.lockTimeout, pause: pause, onWait: onWait)
      if separate == nil { return nil }
    } catch {
      problem = FileWriteError(path: path, number: error.number, isLocking: error.isLocking)
    }
    do throws(FileWriteError) {
      let own = try FileLock.acquire(
        path, existing: true, atMost: Self.lockTimeout, pause: pause, onWait: onWait)
      return own.map { TokenFileLock(locks: [separate, $0].compactMap(\.self)) }
    } catch {
      // The lock file isn't enough, because a process that can't open it has only the token file to lock.
      if error.isLocking { throw error }
      // It doesn't exist yet, or the one who reads it finds out why it can't be opened.
      if let problem { throw problem }
      return TokenFileLock(locks: [separate].compactMap(\.self))
    }
  }

  /// The path of the lock file, which is the same for all links to the token file.
  var lockPath: String { PrivateFile.resolvedPath(of: path) + ".lock" }

  /// The failure of the last renewal; `nil` if it succeeded, or if the state file can't be read.
  var lastError: RecordedError? {
    guard let document = try? SecretDocument.read(path + ".state", as: "state file") else { return nil }
    return RecordedError(document.root)
  }

  /// Stores a failure for other processes and `account status`, or removes it.
  func record(_ failure: RecordedError?) {
    // Errors are ignored, because without the file other processes find out by asking the server.
    guard let failure else {
      try? PrivateFile.remove(path + ".state")
      return
    }
    try? PrivateFile.write(Array(failure.text.utf8), to: path + ".state")
  }

  /// Removes the content of the token file, wherever a link leads, and the files next to it, but not the lock file,
  /// because others may be waiting for it.
  func remove() throws(FileWriteError) {
    // The leftover of a killed process may contain tokens.
    let temporary = PrivateFile.temporaryPath(of: PrivateFile.resolvedPath(of: path))
    try PrivateFile.erase(path)
    for file in [temporary, path + ".state"] where access(file, F_OK) == 0 {
      try PrivateFile.erase(file)
    }
  }
}

/// The locks of a token file, released when it is deinitialized.
struct TokenFileLock {
  let locks: [FileLock]
}

/// A failed renewal, as stored next to the token file.
struct RecordedError: Sendable {
  /// The fingerprint of the credential that failed.
  let fingerprint: String
  let failure: TokenError
  let at: Timestamp
  /// Why the answer of a successful renewal couldn't be stored; `nil` if the renewal failed.
  var storageProblem: String?

  init(
    _ failure: TokenError, about fingerprint: String, at: Timestamp, storageProblem: String? = nil
  ) {
    self.fingerprint = fingerprint
    self.failure = failure
    self.at = at
    self.storageProblem = storageProblem
  }

  init?(_ root: JSONValue) {
    let kinds: [String: TokenError.Kind] = ["dead": .dead, "set-up": .setUp, "passing": .transient]
    guard let fingerprint = root["about"]?.text, let kind = root["kind"]?.text.flatMap({ kinds[$0] }),
      let message = root["what"]?.text, let at = root["at"]?.wholeNumber
    else { return nil }
    self.fingerprint = fingerprint
    self.at = Timestamp(milliseconds: at)
    storageProblem = root["unstored"]?.text
    failure = TokenError(
      kind, message, remedy: root["cure"]?.text, step: root["guide"]?.text.flatMap(GuideStep.init(rawValue:)),
      retryAfter: root["retry_after"]?.wholeNumber.map { .seconds(max(0, min($0, 3600))) })
  }

  /// Returns the failure if a new request with this credential would be useless: the login is dead, another process has
  /// tried since `began`, or the server's `Retry-After` hasn't passed.
  func blockingError(against fingerprint: String, since began: Timestamp, now: Timestamp) -> TokenError? {
    guard applies(against: fingerprint, now: now) else { return nil }
    if failure.kind == .dead || at > began { return failure }
    guard failure.kind == .transient, let wait = failure.retryAfter, at + wait > now else { return nil }
    var failure = failure
    failure.retryAfter = at + wait - now
    return failure
  }

  /// Whether the failure belongs to this credential. A failure in the future comes from a wrong clock and doesn't count.
  func applies(against fingerprint: String, now: Timestamp) -> Bool {
    self.fingerprint == fingerprint && at <= now
  }

  var text: String {
    let kind =
      switch failure.kind {
      case .dead: "dead"
      case .setUp: "set-up"
      case .transient: "passing"
      }
    let members: [(String, JSONValue?)] = [
      ("about", JSONValue.string(fingerprint)), ("kind", .string(kind)), ("what", .string(failure.message)),
      ("cure", failure.remedy.map(JSONValue.string)),
      ("guide", (failure.step?.rawValue).map(JSONValue.string)),
      ("at", .number(at.milliseconds)),
      ("unstored", storageProblem.map(JSONValue.string)),
      // Not stored for set-up errors, so that a fixed account works at once.
      (
        "retry_after",
        failure.kind == .transient
          ? failure.retryAfter.map { JSONValue.number($0.components.seconds) } : nil
      ),
    ]
    return JSONWriter.string(.object(members.compactMap { key, value in value.map { (key, $0) } }))
  }
}
