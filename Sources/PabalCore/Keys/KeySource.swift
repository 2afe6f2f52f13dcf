internal import Glibc
internal import Synchronization

/// Derived keys, and the folder that has them anew once somebody has rotated them.
final class KeySource: Sendable {
  /// The keys of one moment.
  struct Keys: Sendable {
    let current: DerivedKeys
    let previous: [DerivedKeys]

    /// Keys that come from these; one that stands twice, as after half a rotation, is one key.
    init(current: MasterKey, previous: [MasterKey]) {
      let current = DerivedKeys(current)
      var seen: Set<[UInt8]> = [current.version]
      self.current = current
      self.previous = previous.map(DerivedKeys.init).filter { seen.insert($0.version).inserted }
    }

    /// The keys that bear this version.
    func keys(of version: [UInt8]) -> DerivedKeys? {
      version == current.version ? current : previous.first { $0.version == version }
    }
  }

  /// Which file the current key is in: a rotation puts another in its place.
  struct KeyFileIdentity: Sendable, Hashable {
    private let parts: [Int64]

    /// That of the file at `path`; `nil` where it can't be looked at.
    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      parts = [
        Int64(truncatingIfNeeded: status.st_dev), Int64(truncatingIfNeeded: status.st_ino),
        Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
      ]
    }
  }

  private struct State {
    var keys: Keys
    var identity: KeyFileIdentity?
  }

  private let state: Mutex<State>
  private let directory: String?

  /// Keys that stay as they are.
  init(_ keys: Keys) {
    directory = nil
    state = Mutex(State(keys: keys))
  }

  /// The keys read from `directory` after its current file had `identity`.
  init(_ keys: Keys, directory: String, identity: KeyFileIdentity?) {
    self.directory = directory
    state = Mutex(State(keys: keys, identity: identity))
  }

  /// The keys as they are now, for the price of one look at the current key's file.
  var keys: Keys {
    let (known, identity) = state.withLock { ($0.keys, $0.identity) }
    guard let directory, let currentIdentity = KeyFileIdentity("\(directory)/\(Keyring.fileName)"), currentIdentity != identity else {
      return known
    }
    return reload()
  }

  /// The keys as the folder has them; those known already where it can't be read.
  @discardableResult
  func reload() -> Keys {
    guard let directory, let (keys, identity) = try? Keyring.read(directory: directory) else {
      return state.withLock(\.keys)
    }
    state.withLock { $0 = State(keys: keys, identity: identity) }
    return keys
  }
}
