internal import Glibc
internal import PabalFormats
internal import Synchronization

extension Keyring {
  /// The name of the file of the current key in its directory.
  public static let fileName = "current.key"

  /// Returns the keys in `directory`: `current.key` and every `previous-….key`. Creates the first one. Blocks.
  ///
  /// The directory is created for its owner only. If several processes create a key at once, all of them use the same
  /// one. Throws if other users may write the directory or a file, or read a file.
  public static func loadOrCreate(directory: String) throws(Diagnostic) -> Keyring {
    let keyDirectory = try KeyDirectory(directory)
    if try keyDirectory.read(KeyDirectory.current) == nil { _ = try keyDirectory.create() }
    guard let (keys, identity) = try read(keyDirectory) else {
      throw Diagnostic("\(directory): the key was removed while it was read", remedy: "restore it")
    }
    return Keyring(KeySource(keys, directory: directory, identity: identity))
  }

  /// Throws if `loadOrCreate` would: reads the keys, or writes a key like the first one and removes it again, with the
  /// directories that it needed. Blocks.
  package static func checkUsable(directory: String) throws(Diagnostic) {
    var missing: [String] = []
    var path = directory
    while access(path, F_OK) != 0, errno == ENOENT {
      missing.append(path)
      guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { break }
      path = String(path[..<slash])
    }
    defer { for path in missing { rmdir(path) } }
    let keyDirectory = try KeyDirectory(directory)
    guard try read(keyDirectory) == nil else { return }
    try keyDirectory.tryWriting()
  }

  /// Returns the keys in `directory` and the identity of the file of the current one; `nil` if there are none.
  static func read(directory: String) throws(Diagnostic) -> (KeySource.Keys, KeySource.KeyFileIdentity?)? {
    try read(try KeyDirectory(directory))
  }

  private static func read(_ keyDirectory: KeyDirectory) throws(Diagnostic) -> (
    KeySource.Keys, KeySource.KeyFileIdentity?
  )? {
    // The identity is taken before the key is read, so that a rotation in between is noticed the next time.
    let identity = KeySource.KeyFileIdentity("\(keyDirectory.path)/\(fileName)")
    guard let current = try keyDirectory.read(KeyDirectory.current) else { return nil }
    var previous: [MasterKey] = []
    for name in try keyDirectory.previousNames() {
      // A key that was removed meanwhile is not needed any more.
      if let key = try keyDirectory.read(name) { previous.append(key) }
    }
    return (KeySource.Keys(current: current, previous: previous), identity)
  }

  /// Creates a new current key in `directory`, and keeps the old one as a previous key. Blocks.
  ///
  /// Keyrings of this directory in all processes use the new key from their next use on.
  public static func rotate(directory: String) throws(Diagnostic) -> Keyring {
    let keyDirectory = try KeyDirectory(directory)
    try keyDirectory.rotate()
    return try loadOrCreate(directory: directory)
  }
}

/// A directory of master keys, one file each.
private struct KeyDirectory {
  static let current = Keyring.fileName
  let path: String

  init(_ path: String) throws(Diagnostic) {
    self.path = path
    try KeyDirectory.create(path)
    var status = stat()
    guard stat(path, &status) == 0 else { throw KeyDirectory.ioError(path, errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Diagnostic("\(path): not a directory", remedy: "set keys.directory to a directory")
    }
    // A user who may write the directory could replace the key.
    guard status.st_mode & 0o022 == 0 else {
      throw Diagnostic(
        "\(path): mode \(String(status.st_mode & 0o777, radix: 8)) lets other users replace the keys",
        remedy: "chmod 700 \(shellQuoted(path))")
    }
    try KeyDirectory.rejectReplaceable(path)
  }

  /// Throws if another user could put another directory in its place. Root may use the keys of every user, whose service
  /// it may be.
  private static func rejectReplaceable(_ path: String) throws(Diagnostic) {
    guard path.hasPrefix("/") else { return }
    do throws(TrustedPath.Problem) {
      _ = try TrustedPath(path) { geteuid() == 0 || TrustedOwners.contains($0) }
    } catch {
      let place = shellQuoted(error.path)
      switch error.reason {
      case .worldWritable, .groupWritable:
        throw Diagnostic(
          "\(path): other users can replace the keys, because \(error.path) is writable for them",
          remedy: "chmod go-w \(place)")
      case .owner(let user):
        throw Diagnostic(
          "\(path): user \(user) can replace the keys, because \(error.path) belongs to them",
          remedy: "sudo chown \"$(id -un)\" \(place), or set keys.directory")
      case .error(let number): throw ioError(path, number)
      }
    }
  }

  /// Returns the key in a file; `nil` if the file doesn't exist.
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
        "\(file): not a key, which is 64 hexadecimal digits or base64 of 32 bytes",
        remedy: "restore the original file; the database can't be read without it")
    }
    return key
  }

  /// Creates the first key, or returns the one that another process created at the same time.
  func create() throws(Diagnostic) -> MasterKey {
    let key = MasterKey.random()
    let temporaryPath = try write(key)
    defer { unlink(temporaryPath) }
    // link(2) fails if the name exists, and the file appears with all its contents.
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

  /// Writes a key to a file with a unique name and removes it.
  func tryWriting() throws(Diagnostic) { unlink(try write(.random())) }

  func rotate() throws(Diagnostic) {
    let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard lock >= 0 else { throw Self.ioError(path, errno) }
    defer { close(lock) }
    while flock(lock, LOCK_EX) != 0 {
      guard errno == EINTR else { throw Self.ioError(path, errno) }
    }
    let current = "\(path)/\(Self.current)"
    guard let old = try read(Self.current) else {
      throw Diagnostic("\(path): no key to rotate", remedy: "start `pabal serve` once, which creates a key")
    }
    let version = Hexadecimal.string(DerivedKeys(old).version.span)
    // The old key gets its second name first, so that it isn't lost if the process is killed in between.
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
    guard let stream = opendir(path) else { throw Self.ioError(path, errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix("previous-"), name.hasSuffix(".key") { names.append(name) }
    }
    return names.sorted()
  }

  /// Writes the key to a file with a unique name, and returns its path.
  private func write(_ key: MasterKey) throws(Diagnostic) -> String {
    let temporaryPath = "\(path)/.key-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let file = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw Self.ioError(path, errno) }
    defer { close(file) }
    let bytes = Array((key.text + "\n").utf8)
    // So few bytes are written in one call or not at all.
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

  // If root creates the key, it belongs to the owner of the directory, because the service must be able to read it.
  private func matchDirectoryOwner(_ file: CInt) -> Bool {
    var status = stat()
    guard geteuid() == 0, stat(path, &status) == 0, status.st_uid != 0 else { return true }
    return fchown(file, status.st_uid, status.st_gid) == 0
  }

  // A new name survives a power failure only after the directory has been synced.
  private func syncDirectory() throws(Diagnostic) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.ioError(path, errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw Self.ioError(path, errno) }
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
    let isNotWritable = number == EACCES || number == EPERM || number == EROFS
    return Diagnostic(
      "\(path): \(isNotWritable ? "is not writable, so no key can be created" : "no key can be created"): "
        + String(cString: strerror(number)),
      remedy: "let this user write there, or set keys.directory")
  }
}

/// The derived keys, which are read again after a rotation if they come from a directory.
final class KeySource: Sendable {
  /// The keys at one time.
  struct Keys: Sendable {
    let current: DerivedKeys
    let previous: [DerivedKeys]

    /// Derives the keys. Duplicates, as after an interrupted rotation, count once.
    init(current: MasterKey, previous: [MasterKey]) {
      let current = DerivedKeys(current)
      var seen: Set<[UInt8]> = [current.version]
      self.current = current
      self.previous = previous.map(DerivedKeys.init).filter { seen.insert($0.version).inserted }
    }

    /// Returns the keys with this version.
    func keys(of version: [UInt8]) -> DerivedKeys? {
      version == current.version ? current : previous.first { $0.version == version }
    }
  }

  /// The identity of the file of the current key, which changes with a rotation.
  struct KeyFileIdentity: Sendable, Hashable {
    private let parts: [Int64]

    /// The identity of the file at `path`; `nil` if its status can't be read.
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

  /// Creates a source of keys that never change.
  init(_ keys: Keys) {
    directory = nil
    state = Mutex(State(keys: keys))
  }

  /// Creates a source of the keys of `directory`, read after the file of the current one had `identity`.
  init(_ keys: Keys, directory: String, identity: KeyFileIdentity?) {
    self.directory = directory
    state = Mutex(State(keys: keys, identity: identity))
  }

  /// The current keys. Costs one stat(2) of the file of the current key.
  var keys: Keys {
    let (known, identity) = state.withLock { ($0.keys, $0.identity) }
    guard let directory, let currentIdentity = KeyFileIdentity("\(directory)/\(Keyring.fileName)"),
      currentIdentity != identity
    else {
      return known
    }
    return reload()
  }

  /// Reads the keys from the directory, and returns them. If it can't be read, the known keys stay.
  @discardableResult
  func reload() -> Keys {
    guard let directory, let (keys, identity) = try? Keyring.read(directory: directory) else {
      return state.withLock(\.keys)
    }
    state.withLock { $0 = State(keys: keys, identity: identity) }
    return keys
  }
}
