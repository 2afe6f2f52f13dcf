internal import Glibc

extension Keyring {
  /// The name of the current key's file in its folder.
  public static let fileName = "current.key"

  /// The keys kept in `directory`: `current.key` and any `previous-….key`; makes a first one; blocks.
  ///
  /// The folder is made for its owner alone. Processes that come at once make one key between them. A file
  /// or folder that others may write, or a file that others may read, is refused.
  public static func readOrMake(directory: String) throws(Diagnostic) -> Keyring {
    let folder = try KeyFolder(directory)
    if try folder.read(KeyFolder.current) == nil { _ = try folder.make() }
    guard let (keys, stamp) = try read(folder) else {
      throw Diagnostic("the key in \(directory) went away while it was read", cure: "put it back")
    }
    return Keyring(KeySource(keys, directory: directory, stamp: stamp))
  }

  /// The keys in `directory` as they are, and which file the current one is in; `nil` where there are none.
  static func read(directory: String) throws(Diagnostic) -> (KeySource.Keys, KeySource.Stamp?)? {
    try read(try KeyFolder(directory))
  }

  private static func read(_ folder: KeyFolder) throws(Diagnostic) -> (KeySource.Keys, KeySource.Stamp?)? {
    // Looked at before it is read: a rotation in between is then seen at the next look.
    let stamp = KeySource.Stamp("\(folder.path)/\(fileName)")
    guard let current = try folder.read(KeyFolder.current) else { return nil }
    var previous: [MasterKey] = []
    for name in try folder.previousNames() {
      // One that a rotation in another process removed meanwhile is no longer asked for.
      if let key = try folder.read(name) { previous.append(key) }
    }
    return (KeySource.Keys(current: current, previous: previous), stamp)
  }

  /// Makes a new current key in `directory`; the one before it goes on opening what it sealed. Blocks.
  ///
  /// Keyrings read from the folder, in any process, have it from their next use on.
  public static func rotate(directory: String) throws(Diagnostic) -> Keyring {
    let folder = try KeyFolder(directory)
    try folder.rotate()
    return try readOrMake(directory: directory)
  }
}

/// The folder that holds master keys, one file each.
private struct KeyFolder {
  static let current = Keyring.fileName
  let path: String

  init(_ path: String) throws(Diagnostic) {
    self.path = path
    try KeyFolder.make(path)
    var facts = stat()
    guard stat(path, &facts) == 0 else { throw KeyFolder.failure(path, errno) }
    guard facts.st_mode & S_IFMT == S_IFDIR else {
      throw Diagnostic("\(path) is no folder, so it holds no keys", cure: "name another in \"keys\"")
    }
    // Who may write the folder may put another key in the place of ours.
    guard facts.st_mode & 0o022 == 0 else {
      throw Diagnostic(
        "the folder of the keys, \(path), may be written by others: its mode is "
          + String(facts.st_mode & 0o777, radix: 8), cure: "chmod 700 \(shellWord(path))")
    }
  }

  /// The key in a file; `nil` if there is no such file.
  func read(_ name: String) throws(Diagnostic) -> MasterKey? {
    let file = "\(path)/\(name)"
    let octets: [UInt8]
    do throws(SecretFileProblem) {
      octets = try readSecretFile(file, atMost: 256)
    } catch {
      if error.isMissing { return nil }
      throw Diagnostic(error.what, cure: error.cure)
    }
    guard let text = String(validating: octets, as: UTF8.self), let key = MasterKey(text) else {
      throw Diagnostic(
        "\(file) holds no key, which is 64 hexadecimal digits or base64 of 32 octets",
        cure: "put back the file that was there; without it the database can't be read")
    }
    return key
  }

  /// Makes the first key, or takes the one that another process made in the same moment.
  func make() throws(Diagnostic) -> MasterKey {
    let key = MasterKey.random()
    let temporary = try write(key)
    defer { unlink(temporary) }
    // link(2) takes a name only where there is none, and the file it names is whole.
    guard link(temporary, "\(path)/\(Self.current)") == 0 else {
      let number = errno
      guard number == EEXIST, let other = try read(Self.current) else {
        throw Self.failure("\(path)/\(Self.current)", number)
      }
      return other
    }
    try settle()
    return key
  }

  func rotate() throws(Diagnostic) {
    let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard lock >= 0 else { throw Self.failure(path, errno) }
    defer { close(lock) }
    while flock(lock, LOCK_EX) != 0 {
      guard errno == EINTR else { throw Self.failure(path, errno) }
    }
    let current = "\(path)/\(Self.current)"
    guard let old = try read(Self.current) else {
      throw Diagnostic("there is no key in \(path) that could be followed by another")
    }
    let version = DerivedKeys(old).version.map { String(256 + Int($0), radix: 16).dropFirst() }.joined()
    // First the second name, then the new key: killed in between, the old one stands twice.
    guard link(current, "\(path)/previous-\(version).key") == 0 || errno == EEXIST else {
      throw Self.failure(path, errno)
    }
    let temporary = try write(.random())
    guard rename(temporary, current) == 0 else {
      let number = errno
      unlink(temporary)
      throw Self.failure(current, number)
    }
    try settle()
  }

  func previousNames() throws(Diagnostic) -> [String] {
    guard let folder = opendir(path) else { throw Self.failure(path, errno) }
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
    let temporary = "\(path)/.key-\(getpid())-\(UInt64.random(in: .min ... .max))"
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw Self.failure(path, errno) }
    defer { close(file) }
    let octets = Array((key.text + "\n").utf8)
    // A handful of octets is written whole or not at all.
    guard fchmod(file, 0o600) == 0, own(file), Glibc.write(file, octets, octets.count) == octets.count,
      fsync(file) == 0
    else {
      let number = errno
      unlink(temporary)
      throw Self.failure(path, number)
    }
    return temporary
  }

  // Root makes the key for the service that will read it, to whom the folder belongs.
  private func own(_ file: CInt) -> Bool {
    var facts = stat()
    guard geteuid() == 0, stat(path, &facts) == 0, facts.st_uid != 0 else { return true }
    return fchown(file, facts.st_uid, facts.st_gid) == 0
  }

  // The new name is only sure to outlive a power cut once the folder is on the disk.
  private func settle() throws(Diagnostic) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw Self.failure(path, errno) }
    defer { close(folder) }
    guard fsync(folder) == 0 || errno == EINVAL else { throw Self.failure(path, errno) }
  }

  private static func make(_ path: String) throws(Diagnostic) {
    guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
    let number = errno
    guard number == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw failure(path, number)
    }
    try make(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure(path, errno) }
  }

  private static func failure(_ path: String, _ number: Int32) -> Diagnostic {
    Diagnostic(
      "\(path) can't be used for keys: \(String(cString: strerror(number)))",
      cure: "let this user write there, or name another folder in \"keys\"")
  }
}
