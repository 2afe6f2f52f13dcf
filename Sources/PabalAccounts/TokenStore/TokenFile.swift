internal import Glibc
internal import PabalCore
internal import PabalFormats

/// The token file of an account, with its lock file and the state file of the last failure.
struct TokenFile: Sendable {
  let path: String

  // Longer than the slowest renewal: three attempts of 30 seconds, with the waits between.
  private static let lockTimeout = Duration.seconds(100)

  /// Returns the stored token; `nil` if the file doesn't exist.
  func read() throws(SecretFileError) -> StoredToken? {
    do throws(SecretFileError) {
      try FileOwnership.rejectForeignOwner(path)
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

  /// Why the folder of the token file isn't writable, by its permissions; `nil` if it is.
  var folderWriteError: String? {
    let folder = PrivateFile.parent(of: PrivateFile.resolvedPath(of: path))
    guard access(folder, W_OK | X_OK) != 0 else { return nil }
    return FileWriteError(path: path, number: errno).message
  }

  /// Replaces the stored token; the caller must hold `lock`.
  func write(_ token: StoredToken) throws(FileWriteError) {
    try PrivateFile.write(Array(token.text.utf8), to: path)
  }

  /// Writes and removes a test file, to make sure that a token can be stored later.
  func checkWritable() throws(FileWriteError) {
    let trial = path + ".trial"
    do throws(FileWriteError) {
      try PrivateFile.write([UInt8](repeating: 0x20, count: 8192), to: trial)
      try PrivateFile.remove(trial)
    } catch {
      throw FileWriteError(path: path, number: error.number)
    }
  }

  /// Locks the token file against other processes of this machine; blocks. Returns `nil` after 100 seconds.
  ///
  /// Calls `onWait` once, if it takes more than a second.
  func lock(
    _ dependencies: AccountDependencies, onWait: () -> Void = {}
  ) throws(FileWriteError) -> FileLock? {
    do throws(FileWriteError) {
      return try FileLock.acquire(
        lockPath, atMost: Self.lockTimeout, pause: dependencies.pause, onWait: onWait)
    } catch {
      throw FileWriteError(path: path, number: error.number)
    }
  }

  /// The path of the lock file.
  var lockPath: String { path + ".lock" }

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

  /// Removes the token and the state file, but not the lock file, because others may be waiting for it.
  func remove() throws(FileWriteError) {
    try PrivateFile.remove(path)
    try PrivateFile.remove(path + ".state")
  }
}

/// A failed renewal, as stored next to the token file.
struct RecordedError: Sendable {
  /// The fingerprint of the credential that failed.
  let fingerprint: String
  let failure: TokenError
  let at: Timestamp

  init(_ failure: TokenError, about fingerprint: String, at: Timestamp) {
    self.fingerprint = fingerprint
    self.failure = failure
    self.at = at
  }

  init?(_ root: JSONValue) {
    let kinds: [String: TokenError.Kind] = ["dead": .dead, "set-up": .setUp, "passing": .transient]
    guard let fingerprint = root["about"]?.text, let kind = root["kind"]?.text.flatMap({ kinds[$0] }),
      let message = root["what"]?.text, let at = root["at"]?.wholeNumber
    else { return nil }
    self.fingerprint = fingerprint
    self.at = Timestamp(milliseconds: at)
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
