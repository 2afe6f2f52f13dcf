internal import Crypto
package import PabalCore
internal import PabalFormats
internal import Synchronization

/// Checks the passwords of `serve.submission.users`.
///
/// The limit of an address comes before any hashing, hashing runs on two threads with a bounded queue, and an unknown user
/// costs as much as a known one. Only successes are remembered, as an HMAC under a key that this process made.
package final class PasswordVerifier: Sendable {
  private enum Admission {
    case limited
    case accepted
    case busy
    case hashing(Task<Bool, Never>, generation: Int, isFirst: Bool)
  }

  private struct State {
    var limiter = LoginLimiter()
    var accepted: Set<[UInt8]> = []
    /// The passwords that are being hashed; sessions that send the same one wait for the same result.
    var running: [[UInt8]: Task<Bool, Never>] = [:]
    /// How many of them an address has begun.
    var begun: [String: Int] = [:]
    var generation = 0
  }

  // Far more users than a configuration has; clears what removed passwords leave behind.
  private static let maxAccepted = 10_000

  private let threads: WorkerThreads
  private let capacity: Int
  private let derive: @Sendable (PasswordHash, [UInt8]) -> [UInt8]?
  private let now: @Sendable () -> Int
  private let processKey = SymmetricKey(size: .bits256)
  private let dummySalt = PasswordHash.randomSalt()
  private let state = Mutex(State())

  /// Creates a verifier; nothing is remembered.
  ///
  /// - Parameters:
  ///   - threads: How many passwords are hashed at the same time.
  ///   - capacity: How many may be hashed or wait for it; beyond it, a login is refused for now.
  ///   - now: Milliseconds of a clock that never goes back.
  ///   - derive: The hash function.
  package init(
    threads: Int = 2, capacity: Int = 64, now: @escaping @Sendable () -> Int = MonotonicClock.milliseconds,
    derive: @escaping @Sendable (PasswordHash, [UInt8]) -> [UInt8]? = { $0.derive($1) }
  ) {
    self.threads = WorkerThreads(count: threads)
    self.capacity = capacity
    self.now = now
    self.derive = derive
  }

  /// Forgets the passwords that were right, because users may have changed.
  package func clear() {
    state.withLock { state in
      state.accepted = []
      state.generation += 1
    }
  }

  /// The result of a login.
  package struct Result: Sendable {
    /// What the session is answered.
    package let answer: SMTPAuthenticationResult
    /// Whether the log should mention that the address reached its limit.
    package let reachedLimit: Bool
  }

  /// Returns whether the password is that of the user, for a client at `address`.
  package func verify(
    _ credentials: SMTPCredentials, users: [SubmissionConfiguration.User], address: String, limit: Int
  ) async -> Result {
    let user = users.first { $0.name == credentials.user }
    let known = user?.password ?? dummyHash(like: users.first?.password)
    let digest = digest(credentials, known)
    switch admit(digest, known, credentials.password, from: address, limit: limit) {
    case .limited:
      let reports = state.withLock { $0.limiter.reportsLimit(address) }
      return Result(answer: .limited, reachedLimit: reports)
    case .busy: return Result(answer: .limited, reachedLimit: false)
    case .accepted: return result(user, credentials, isRight: true, from: address)
    case .hashing(let task, let generation, let isFirst):
      let isRight = await task.value
      state.withLock { state in
        guard isFirst else { return }
        state.running[digest] = nil
        let begun = state.begun[address, default: 1] - 1
        state.begun[address] = begun > 0 ? begun : nil
        guard isRight, user != nil, generation == state.generation else { return }
        if state.accepted.count >= PasswordVerifier.maxAccepted { state.accepted = [] }
        state.accepted.insert(digest)
      }
      return result(user, credentials, isRight: isRight, from: address)
    }
  }

  private func admit(
    _ digest: [UInt8], _ known: PasswordHash, _ password: [UInt8], from address: String, limit: Int
  ) -> Admission {
    let now = now()
    return state.withLock { state in
      // Before the remembered passwords are compared, because the answer would tell a right guess.
      if state.limiter.isLimited(address, limit: limit, at: now) { return .limited }
      if state.accepted.contains(digest) { return .accepted }
      if let task = state.running[digest] {
        return .hashing(task, generation: state.generation, isFirst: false)
      }
      let begun = state.begun[address, default: 0]
      // Undecided logins count as failures, so that many at once can't exceed the limit.
      if state.limiter.isLimited(address, limit: limit, running: begun, at: now) { return .busy }
      guard state.running.count < capacity else { return .busy }
      let task = Task { [threads, derive] in
        await threads.run {
          guard let derived = derive(known, password) else { return false }
          // Compares all of it, so that the time doesn't depend on where the hashes differ.
          return derived.count == known.hash.count
            && zip(derived, known.hash).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
        }
      }
      state.running[digest] = task
      state.begun[address] = begun + 1
      return .hashing(task, generation: state.generation, isFirst: true)
    }
  }

  private func result(
    _ user: SubmissionConfiguration.User?, _ credentials: SMTPCredentials, isRight: Bool, from address: String
  ) -> Result {
    let mayAct = credentials.authorization.isEmpty || credentials.authorization == credentials.user
    if let user, isRight, mayAct { return Result(answer: .accepted(.user(user.name)), reachedLimit: false) }
    let now = now()
    state.withLock { $0.limiter.fail(address, at: now) }
    return Result(answer: .rejected, reachedLimit: false)
  }

  /// A hash that no password has, with the cost of the users' hashes.
  private func dummyHash(like known: PasswordHash?) -> PasswordHash {
    PasswordHash(
      logCost: known?.logCost ?? 14, blockSize: known?.blockSize ?? 8, parallelism: known?.parallelism ?? 1,
      salt: dummySalt, hash: Array(repeating: 0, count: known?.hash.count ?? 32))
  }

  private func digest(_ credentials: SMTPCredentials, _ known: PasswordHash) -> [UInt8] {
    // The lengths come first, so that no two logins have the same bytes.
    let user = Array(credentials.user.utf8)
    let hash = Array(known.text.utf8)
    var code = HMAC<SHA256>(key: processKey)
    code.update(data: Array("\(user.count) \(hash.count) ".utf8))
    code.update(data: user)
    code.update(data: hash)
    code.update(data: credentials.password)
    return Array(code.finalize())
  }
}
