internal import Glibc
internal import PabalFormats
internal import Synchronization

extension Keyring {
  /// The name of the current key's file in its folder.
  public static let fileName = "current.key"

  /// The keys kept in `directory`: `current.key` and any `previous-….key`; makes a first one; blocks.
  ///
  /// The folder is made for its owner alone. Processes that come at once make one key between them. A file
  /// or folder that others may write, or a file that others may read, is refused.
  public static func loadOrCreate(directory: String) throws(Diagnostic) -> Keyring {
    let folder = try KeyDirectory(directory)
    if try folder.read(KeyDirectory.current) == nil { _ = try folder.create() }
    guard let (keys, identity) = try read(folder) else {
      throw Diagnostic("the key in \(directory) went away while it was read", remedy: "put it back")
    }
    return Keyring(KeySource(keys, directory: directory, identity: identity))
  }

  /// The keys in `directory` as they are, and which file the current one is in; `nil` where there are none.
  static func read(directory: String) throws(Diagnostic) -> (KeySource.Keys, KeySource.KeyFileIdentity?)? {
    try read(try KeyDirectory(directory))
  }

  private static func read(_ folder: KeyDirectory) throws(Diagnostic) -> (
    KeySource.Keys, KeySource.KeyFileIdentity?
  )? {
    // Looked at before it is read: a rotation in between is then seen at the next look.
    let identity = KeySource.KeyFileIdentity("\(folder.path)/\(fileName)")
    guard let current = try folder.read(KeyDirectory.current) else { return nil }
    var previous: [MasterKey] = []
    for name in try folder.previousNames() {
      // One that a rotation in another process removed meanwhile is no longer asked for.
      if let key = try folder.read(name) { previous.append(key) }
    }
    return (KeySource.Keys(current: current, previous: previous), identity)
  }

  /// Makes a new current key in `directory`; the one before it goes on opening what it sealed. Blocks.
  ///
  /// Keyrings read from the folder, in any process, have it from their next use on.
  public static func rotate(directory: String) throws(Diagnostic) -> Keyring {
    let folder = try KeyDirectory(directory)
    try folder.rotate()
    return try loadOrCreate(directory: directory)
  }
}

/// The folder that holds master keys, one file each.
private struct KeyDirectory {
  static let current = Keyring.fileName
  let path: String

  init(_ path: String) throws(Diagnostic) {
    self.path = path
    try KeyDirectory.create(path)
    var status = stat()
    guard stat(path, &status) == 0 else { throw KeyDirectory.ioError(path, errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Diagnostic("\(path) is no folder, so it holds no keys", remedy: "name another in \"keys\"")
    }
    // Who may write the folder may put another key in the place of ours.
    guard status.st_mode & 0o022 == 0 else {
      throw Diagnostic(
        "the folder of the keys, \(path), may be written by others: its mode is "
          + String(status.st_mode & 0o777, radix: 8), remedy: "chmod 700 \(shellQuoted(path))")
    }
  }

  /// The key in a file; `nil` if there is no such file.
  func read(_ name: String) throws(Diagnostic) -> MasterKey? {
    let file = "\(path)/\(name)"
    let bytes: [UInt8]
    do throws(SecretFileError) {
      bytes = try readSecretFile(file, atMost: 256)
    } catch {
      if error.isMissing { return nil }
      throw Diagnostic(error.message, remedy: error.remedy)
    }
    guard let text = String(validating: bytes, as: UTF8.self), let key = MasterKey(text) else {
      throw Diagnostic(
        "\(file) holds no key, which is 64 hexadecimal digits or base64 of 32 octets",
        remedy: "put back the file that was there; without it the database can't be read")
    }
    return key
  }

  /// Makes the first key, or takes the one that another process made in the same moment.
  func create() throws(Diagnostic) -> MasterKey {
    let key = MasterKey.random()
    let temporaryPath = try write(key)
    defer { unlink(temporaryPath) }
    // link(2) takes a name only where there is none, and the file it names is whole.
    guard link(temporaryPath, "\(path)/\(Self.current)") == 0 else {
      let number = errno
      guard number == EEXIST, let other = try read(Self.current) else {
        throw Self.ioError("\(path)/\(Self.current)", number)
      }
      return other
    }
    try syncDirectory()
    return key
  }

  func rotate() throws(Diagnostic) {
    let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard lock >= 0 else { throw Self.ioError(path, errno) }
    defer { close(lock) }
    while flock(lock, LOCK_EX) != 0 {
      guard errno == EINTR else { throw Self.ioError(path, errno) }
    }
    let current = "\(path)/\(Self.current)"
    guard let old = try read(Self.current) else {
      throw Diagnostic("there is no key in \(path) that could be followed by another")
    }
    let version = Hexadecimal.string(DerivedKeys(old).version.span)
    // First the second name, then the new key: killed in between, the old one stands twice.
    guard link(current, "\(path)/previous-\(version).key") == 0 || errno == EEXIST else {
      throw Self.ioError(path, errno)
    }
    let temporaryPath = try write(.random())
    guard rename(temporaryPath, current) == 0 else {
      let number = errno
      unlink(temporaryPath)
      throw Self.ioError(current, number)
    }
    try syncDirectory()
  }

  func previousNames() throws(Diagnostic) -> [String] {
    guard let folder = opendir(path) else { throw Self.ioError(path, errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix("previous-"), name.hasSuffix(".key") { names.append(name) }
    }
    return names.sorted()
  }

  /// A file with the key under a name that no other process uses; returns its path.
  private func write(_ key: MasterKey) throws(Diagnostic) -> String {
    let temporaryPath = "\(path)/.key-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let file = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw Self.ioError(path, errno) }
    defer { close(file) }
    let bytes = Array((key.text + "\n").utf8)
    // A handful of bytes is written whole or not at all.
    guard fchmod(file, 0o600) == 0, matchDirectoryOwner(file),
      Glibc.write(file, bytes, bytes.count) == bytes.count,
      fsync(file) == 0
    else {
      let number = errno
      unlink(temporaryPath)
      throw Self.ioError(path, number)
    }
    return temporaryPath
  }

  // Root makes the key for the service that will read it, to whom the folder belongs.
  private func matchDirectoryOwner(_ file: CInt) -> Bool {
    var status = stat()
    guard geteuid() == 0, stat(path, &status) == 0, status.st_uid != 0 else { return true }
    return fchown(file, status.st_uid, status.st_gid) == 0
  }

  // The new name is only sure to outlive a power cut once the folder is on the disk.
  private func syncDirectory() throws(Diagnostic) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw Self.ioError(path, errno) }
    defer { close(folder) }
    guard fsync(folder) == 0 || errno == EINVAL else { throw Self.ioError(path, errno) }
  }

  private static func create(_ path: String) throws(Diagnostic) {
    guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
    let number = errno
    guard number == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw ioError(path, number)
    }
    try create(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw ioError(path, errno) }
  }

  private static func ioError(_ path: String, _ number: Int32) -> Diagnostic {
    Diagnostic(
      "\(path) can't be used for keys: \(String(cString: strerror(number)))",
      remedy: "let this user write there, or name another folder in \"keys\"")
  }
}

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
    guard let directory, let currentIdentity = KeyFileIdentity("\(directory)/\(Keyring.fileName)"),
      currentIdentity != identity
    else {
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
