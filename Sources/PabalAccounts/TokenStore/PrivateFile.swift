internal import Glibc
internal import PabalCore

/// A lock that processes share, held on a file of its own, since the file it guards is replaced.
final class FileLock {
  private let file: CInt

  /// Waits until the lock at `path` is had, at most `limit`; blocks.
  ///
  /// `nil` when time ran out; `onWait` is called once, after a second. flock(2) has no time limit and a lock must not outlive patience, so it
  /// is asked for again and again.
  static func wait(
    _ path: String, atMost limit: Duration, pause: (Duration) -> Void, onWait: () -> Void = {}
  ) throws(FileWriteError) -> FileLock? {
    try PrivateFile.createFolder(PrivateFile.parent(of: path))
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
    do throws(FileWriteError) {
      try PrivateFile.copyOwner(file, like: path, or: PrivateFile.parent(of: path))
    } catch {
      close(file)
      throw error
    }
    var waited = Duration.zero
    var step = Duration.milliseconds(5)
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      guard errno == EWOULDBLOCK else {
        let number = errno
        close(file)
        throw FileWriteError(path: path, number: number)
      }
      guard waited < limit else {
        close(file)
        return nil
      }
      pause(step)
      if waited < .seconds(1), waited + step >= .seconds(1) { onWait() }
      waited += step
      step = min(step * 2, .milliseconds(80))
    }
    return FileLock(file)
  }

  private init(_ file: CInt) { self.file = file }

  // Closing lets go of it, also where the process is killed.
  deinit { close(file) }
}

/// Why a file could not be written.
struct FileWriteError: Error {
  let path: String
  let number: Int32

  var message: String { "\(path) can't be written: \(String(cString: strerror(number)))" }
}

/// Files that only their owner may read, written so that at any moment the old or the new one is there whole.
enum PrivateFile {
  /// Writes `bytes` to `path`; one writer at a time, which is the caller's to see to. Blocks.
  static func write(_ bytes: [UInt8], to path: String) throws(FileWriteError) {
    let path = resolvedPath(of: path)
    let folder = parent(of: path)
    try createFolder(folder)
    // One name, not a random one: what a killed process left is overwritten, not kept for ever.
    let temporary = "\(folder)/.\(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]).new"
    guard unlink(temporary) == 0 || errno == ENOENT else {
      throw FileWriteError(path: temporary, number: errno)
    }
    let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
    do throws(FileWriteError) {
      defer { close(file) }
      try copyOwner(file, like: path, or: folder)
      guard fchmod(file, 0o600) == 0 else { throw FileWriteError(path: path, number: errno) }
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw FileWriteError(path: path, number: errno) }
        rest = rest.dropFirst(count)
      }
      guard fsync(file) == 0 else { throw FileWriteError(path: path, number: errno) }
      guard rename(temporary, path) == 0 else { throw FileWriteError(path: path, number: errno) }
    } catch {
      unlink(temporary)
      throw error
    }
    try syncFolder(folder)
  }

  /// Removes a file; that it isn't there is no error.
  static func remove(_ path: String) throws(FileWriteError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw FileWriteError(path: path, number: errno) }
    try syncFolder(parent(of: path))
  }

  /// Makes a folder for its owner alone, and those above it that are missing.
  static func createFolder(_ path: String) throws(FileWriteError) {
    if mkdir(path, 0o700) == 0 { return }
    switch errno {
    case EEXIST: return
    case ENOENT where path != parent(of: path):
      try createFolder(parent(of: path))
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw FileWriteError(path: path, number: errno)
      }
    default: throw FileWriteError(path: path, number: errno)
    }
  }

  /// The folder a file is in.
  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Root writes for the service that will read: the file belongs to whom the old one or the folder does.
  static func copyOwner(_ file: CInt, like path: String, or folder: String) throws(FileWriteError) {
    guard geteuid() == 0 else { return }
    var facts = stat()
    guard stat(path, &facts) == 0 || stat(folder, &facts) == 0 else { return }
    guard facts.st_uid != 0 else { return }
    guard fchown(file, facts.st_uid, facts.st_gid) == 0 else {
      throw FileWriteError(path: path, number: errno)
    }
  }

  /// Where a file really is: a link stays a link, and what it points to is replaced.
  static func resolvedPath(of path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  // The new name is only sure to outlive a power cut once the folder is on the disk.
  private static func syncFolder(_ folder: String) throws(FileWriteError) {
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw FileWriteError(path: folder, number: errno) }
    defer { close(file) }
    guard fsync(file) == 0 || errno == EINVAL else { throw FileWriteError(path: folder, number: errno) }
  }
}

/// Whose a token file and its folder are: whoever may replace the one through the other has mail sent as he likes.
enum FileOwnership {
  /// Refuses a token file of another user's, and a folder where others may put one; that it isn't there is no error.
  ///
  /// Root serves everybody, and what is root's nobody else has put there.
  static func rejectForeignOwner(_ path: String) throws(SecretFileError) {
    let real = PrivateFile.resolvedPath(of: path)
    try checkOwner(PrivateFile.parent(of: real), isDirectory: true)
    try checkOwner(real, isDirectory: false)
  }

  private static func checkOwner(_ path: String, isDirectory: Bool) throws(SecretFileError) {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return }
    let user = geteuid()
    let name = shellQuoted(path)
    if facts.st_uid != user, facts.st_uid != 0, user != 0 {
      throw SecretFileError(
        message: "\(path) belongs to another user (uid \(facts.st_uid))",
        remedy: "sudo chown \"$(id -un)\" \(name)")
    }
    // In a folder with the sticky bit nobody replaces what isn't his.
    guard isDirectory, facts.st_mode & 0o022 != 0, facts.st_mode & S_ISVTX == 0 else { return }
    throw SecretFileError(
      message:
        "others may put a token file into \(path): its mode is \(String(facts.st_mode & 0o777, radix: 8))",
      remedy: (facts.st_uid == user ? "" : "sudo ") + "chmod go-w \(name)")
  }
}
