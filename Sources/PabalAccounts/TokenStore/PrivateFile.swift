internal import Glibc
internal import PabalCore

/// A lock between processes. It is held on a separate file, because the guarded file is replaced by renaming.
final class FileLock {
  private let file: CInt

  /// Acquires the lock at `path`; blocks for at most `limit`, then returns `nil`. Calls `onWait` once, after a second.
  ///
  /// Polls, because flock(2) has no timeout.
  static func acquire(
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

  // Closing releases the lock, even if the process is killed. But a child that is being spawned shares the descriptor
  // until its exec, and would keep the lock that long; LOCK_UN releases it at once (flock(2)).
  deinit {
    flock(file, LOCK_UN)
    close(file)
  }
}

/// Why a file can't be written.
struct FileWriteError: Error {
  let path: String
  let number: Int32

  var message: String { "\(path) can't be written: \(String(cString: strerror(number)))" }
}

/// Files that only their owner can read, replaced atomically.
enum PrivateFile {
  /// Writes `bytes` to `path`; blocks. The caller has to make sure that there is only one writer at a time.
  static func write(_ bytes: [UInt8], to path: String) throws(FileWriteError) {
    let path = resolvedPath(of: path)
    let folder = parent(of: path)
    try createFolder(folder)
    // A fixed name instead of a random one, so that the leftover of a killed process is overwritten.
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

  /// Removes a file; a missing file isn't an error.
  static func remove(_ path: String) throws(FileWriteError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw FileWriteError(path: path, number: errno) }
    try syncFolder(parent(of: path))
  }

  /// Creates a folder that only its owner can access, and its missing parents.
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

  /// Returns the folder of a file.
  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// For root, gives the file the owner of the old file or of the folder, so that the service can read it.
  static func copyOwner(_ file: CInt, like path: String, or folder: String) throws(FileWriteError) {
    guard geteuid() == 0 else { return }
    var status = stat()
    guard stat(path, &status) == 0 || stat(folder, &status) == 0 else { return }
    guard status.st_uid != 0 else { return }
    guard fchown(file, status.st_uid, status.st_gid) == 0 else {
      throw FileWriteError(path: path, number: errno)
    }
  }

  /// Returns the path with symbolic links resolved, so that the target of a link is replaced instead of the link.
  static func resolvedPath(of path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  // A rename survives a power failure only after the folder is synced.
  private static func syncFolder(_ folder: String) throws(FileWriteError) {
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw FileWriteError(path: folder, number: errno) }
    defer { close(file) }
    guard fsync(file) == 0 || errno == EINVAL else { throw FileWriteError(path: folder, number: errno) }
  }
}

/// Checks the owners of a token file and its folder, because anyone who can replace the file controls which account
/// sends the mail.
enum FileOwnership {
  /// Rejects a token file of another user, and a folder where others can create one. Missing ones aren't an error.
  ///
  /// Root may read files of every user, and every user may read files of root.
  static func rejectForeignOwner(_ path: String) throws(SecretFileError) {
    let real = PrivateFile.resolvedPath(of: path)
    try checkOwner(PrivateFile.parent(of: real), isDirectory: true)
    try checkOwner(real, isDirectory: false)
  }

  private static func checkOwner(_ path: String, isDirectory: Bool) throws(SecretFileError) {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    let user = geteuid()
    let name = shellQuoted(path)
    if status.st_uid != user, status.st_uid != 0, user != 0 {
      throw SecretFileError(
        message: "\(path) belongs to another user (uid \(status.st_uid))",
        remedy: "sudo chown \"$(id -un)\" \(name)")
    }
    // In a folder with the sticky bit, users can't replace files of others.
    guard isDirectory, status.st_mode & 0o022 != 0, status.st_mode & S_ISVTX == 0 else { return }
    throw SecretFileError(
      message:
        "others can create a token file in \(path): its mode is \(String(status.st_mode & 0o777, radix: 8))",
      remedy: (status.st_uid == user ? "" : "sudo ") + "chmod go-w \(name)")
  }
}
