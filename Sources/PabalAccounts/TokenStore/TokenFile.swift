internal import Glibc
internal import PabalCore
internal import PabalFormats

/// An account's token file, with its lock and the last failure beside it.
struct TokenFile: Sendable {
  let path: String

  // Longer than the slowest renewal takes: three attempts of half a minute, with the waits between.
  private static let lockTimeout = Duration.seconds(100)

  /// What is stored, or `nil` where there is no file.
  func read() throws(SecretFileError) -> StoredToken? {
    do throws(SecretFileError) {
      try FileOwnership.rejectForeignOwner(path)
      return try StoredToken(SecretDocument.read(path, as: "token file", remedy: nil))
    } catch {
      if error.isMissing { return nil }
      var problem = error
      if problem.remedy == nil, !problem.isTransient {
        problem.remedy = "move it away, then log in again: pabal account login"
      }
      throw problem
    }
  }

  /// Why nothing could be written beside the token file, as far as that is known without trying.
  var folderWriteError: String? {
    let folder = PrivateFile.parent(of: PrivateFile.resolvedPath(of: path))
    guard access(folder, W_OK | X_OK) != 0 else { return nil }
    return FileWriteError(path: path, number: errno).message
  }

  /// Replaces what is stored, under `lock`.
  func write(_ token: StoredToken) throws(FileWriteError) {
    try PrivateFile.write(Array(token.text.utf8), to: path)
  }

  /// Finds out, before anything is worth losing, whether a token could be written.
  func checkWritable() throws(FileWriteError) {
    let trial = path + ".trial"
    do throws(FileWriteError) {
      try PrivateFile.write([UInt8](repeating: 0x20, count: 8192), to: trial)
      try PrivateFile.remove(trial)
    } catch {
      throw FileWriteError(path: path, number: error.number)
    }
  }

  /// Waits for this machine's other processes; `nil` when that took too long. Blocks.
  ///
  /// `onWait` is called once, where that takes more than a second.
  func lock(
    _ dependencies: AccountDependencies, onWait: () -> Void = {}
  ) throws(FileWriteError) -> FileLock? {
    do throws(FileWriteError) {
      return try FileLock.wait(
        lockPath, atMost: Self.lockTimeout, pause: dependencies.pause, onWait: onWait)
    } catch {
      throw FileWriteError(path: path, number: error.number)
    }
  }

  /// What is locked, since the token file itself is replaced.
  var lockPath: String { path + ".lock" }

  /// The last failure, unless a renewal has succeeded since; one that can't be read counts as none.
  var lastError: RecordedError? {
    guard let document = try? SecretDocument.read(path + ".state", as: "state file") else { return nil }
    return RecordedError(document.root)
  }

  /// Keeps a failure for other processes and for `account status`, or forgets it.
  func record(_ failure: RecordedError?) {
    // Whoever can't write here finds out the same by asking the server himself.
    guard let failure else {
      try? PrivateFile.remove(path + ".state")
      return
    }
    try? PrivateFile.write(Array(failure.text.utf8), to: path + ".state")
  }

  /// Removes the token and all that lies beside it but the lock, which others may be waiting for.
  func remove() throws(FileWriteError) {
    try PrivateFile.remove(path)
    try PrivateFile.remove(path + ".state")
  }
}

/// A failed renewal, as kept beside the token file.
struct RecordedError: Sendable {
  /// What it is about; another refresh token or key has another one.
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

  /// The failure, where asking again now, about what has this fingerprint, would be of no use: the login is over,
  /// somebody else has asked since `began`, or the server wants to be left alone for longer.
  func blockingError(against fingerprint: String, since began: Timestamp, now: Timestamp) -> TokenError? {
    guard applies(against: fingerprint, now: now) else { return nil }
    if failure.kind == .dead || at > began { return failure }
    guard failure.kind == .transient, let wait = failure.retryAfter, at + wait > now else { return nil }
    var failure = failure
    failure.retryAfter = at + wait - now
    return failure
  }

  /// Whether it is about what has this fingerprint; one of the future is of a clock that was wrong.
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
      // Of a set-up that is mended nobody should have to wait for the end of it.
      (
        "retry_after",
        failure.kind == .transient
          ? failure.retryAfter.map { JSONValue.number($0.components.seconds) } : nil
      ),
    ]
    return JSONWriter.string(.object(members.compactMap { key, value in value.map { (key, $0) } }))
  }
}
