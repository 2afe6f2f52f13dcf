internal import Glibc
internal import PabalCore
internal import Synchronization

/// Stores the tokens of an account: finds out how before they are requested, keeps those that can't be stored, and
/// reports why.
final class TokenStorage: Sendable {
  /// What was found out before a request.
  enum Preparation {
    case ready(PreparedFile)
    /// The file belongs to gcloud, which renews its tokens itself.
    case foreign
    case impossible(FileWriteError)

    /// Why the answer can't be stored.
    var problem: FileWriteError? {
      guard case .impossible(let problem) = self else { return nil }
      return problem
    }
  }

  let file: TokenFile
  private let state = Mutex(State())

  private struct State {
    /// The renewed token that couldn't be stored, and the refresh token that the file holds.
    var unwritten: (token: StoredToken, replacing: String?)?
    var problem: FileWriteError?
  }

  // One for each file and process, because the accounts of a reloaded configuration must not go back to the token in the
  // file while a newer one is in memory.
  private static let all = Mutex<[String: TokenStorage]>([:])

  /// Returns the storage of a file, the same for every account of this process.
  static func of(_ file: TokenFile) -> TokenStorage {
    all.withLock { all in
      if let storage = all[file.path] { return storage }
      let storage = TokenStorage(file)
      all[file.path] = storage
      return storage
    }
  }

  private init(_ file: TokenFile) { self.file = file }

  /// Why tokens can't be stored, as found out by the last renewal of this process; `nil` if they can.
  var problem: FileWriteError? { state.withLock(\.problem) }

  /// Whether there is a renewed token that is lost with this process.
  var hasUnwritten: Bool { state.withLock { $0.unwritten != nil } }

  /// Whether the unstored token has a new refresh token, so that the stored one may already be refused.
  var lostRotation: Bool {
    state.withLock { state in
      state.unwritten.map { $0.token.refreshToken != $0.replacing } ?? false
    }
  }

  /// Forgets what couldn't be stored; the next call reads the file.
  func forget() { state.withLock { $0 = State() } }

  /// Returns the token of the file, or the renewed one that couldn't be stored.
  func read() throws(TokenError) -> StoredToken? {
    let stored: StoredToken?
    do throws(SecretFileError) {
      stored = try file.read()
    } catch {
      throw TokenError(error)
    }
    // A different refresh token means that there was a new login since.
    let unwritten = state.withLock(\.unwritten)
    return unwritten?.replacing == stored?.refreshToken ? unwritten?.token ?? stored : stored
  }

  /// Prepares to store the answer to a request that is about to be sent; the caller must hold the file's lock.
  func prepare(for stored: StoredToken?) -> Preparation {
    if stored?.isGcloud == true { return .foreign }
    do throws(FileWriteError) {
      return .ready(try file.prepare())
    } catch {
      state.withLock { $0.problem = error }
      return .impossible(error)
    }
  }

  /// Stores a renewed token, or keeps it in memory; returns why it can't be stored.
  func store(
    _ refreshed: StoredToken, replacing stored: StoredToken?, _ preparation: Preparation
  ) -> FileWriteError? {
    var problem = preparation.problem
    if case .ready(let prepared) = preparation {
      do throws(FileWriteError) {
        try prepared.store(Array(refreshed.text.utf8))
        forget()
        return nil
      } catch {
        problem = error
      }
    }
    state.withLock { state in
      // The refresh token in the file, not that of an earlier unwritten renewal.
      let replacing = state.unwritten?.replacing ?? stored?.refreshToken
      state.unwritten = (refreshed, replacing)
      state.problem = problem
    }
    return problem
  }

  /// Tries again to store what couldn't be stored; the caller must hold the file's lock. Returns whether nothing is left.
  func storeUnwritten() -> Bool {
    guard let unwritten = state.withLock(\.unwritten) else {
      // Nothing was lost; the next renewal finds out whether the file can be written by then.
      forget()
      return true
    }
    let stored: StoredToken?
    do throws(SecretFileError) {
      stored = try file.read()
    } catch {
      // Unreadable for now. What is kept here may be the only token that still works.
      return false
    }
    guard let stored, stored.refreshToken == unwritten.replacing else {
      // There was a new login, or a logout.
      forget()
      return true
    }
    return store(unwritten.token, replacing: stored, prepare(for: stored)) == nil
  }
}
