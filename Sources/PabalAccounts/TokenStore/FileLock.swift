internal import Glibc
internal import PabalCore

/// A lock between processes. It is held on a separate file, because the guarded file is replaced by renaming.
final class FileLock {
  private let file: CInt

  /// Acquires the lock at `path`; blocks for at most `limit`, then returns `nil`. Calls `onWait` once, after a second.
  /// The file is created unless `existing`; then it only has to be readable.
  ///
  /// Polls, because flock(2) has no timeout.
  static func acquire(
    _ path: String, existing: Bool = false, atMost limit: Duration, pause: (Duration) -> Void,
    onWait: () -> Void = {}
  ) throws(FileWriteError) -> FileLock? {
    var waited = Duration.zero
    var step = Duration.milliseconds(5)
    while true {
      let file = try open(path, existing: existing)
      while flock(file, LOCK_EX | LOCK_NB) != 0 {
        if errno == EINTR { continue }
        guard errno == EWOULDBLOCK else {
          let number = errno
          close(file)
          throw FileWriteError(path: path, number: number, isLocking: true)
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
      // The previous holder may have replaced the file, and others would lock the new one.
      if isFile(file, at: path) { return FileLock(file) }
      close(file)
    }
  }

  private static func open(_ path: String, existing: Bool) throws(FileWriteError) -> CInt {
    guard !existing else {
      let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
      guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
      return file
    }
    try PrivateFile.createFolder(PrivateFile.parent(of: path))
    let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
    do throws(FileWriteError) {
      // The owner of the guarded file, because the one who creates the lock may be root.
      let guarded = path.hasSuffix(".lock") ? String(path.dropLast(5)) : path
      try PrivateFile.copyOwner(file, like: guarded, or: PrivateFile.parent(of: path))
    } catch {
      close(file)
      throw error
    }
    return file
  }

  private static func isFile(_ file: CInt, at path: String) -> Bool {
    var (open, named) = (stat(), stat())
    return fstat(file, &open) == 0 && stat(path, &named) == 0 && open.st_ino == named.st_ino
      && open.st_dev == named.st_dev
  }

  private init(_ file: CInt) { self.file = file }

  // Closing releases the lock, even if the process is killed. But a child that is being spawned shares the descriptor
  // until its exec, and would keep the lock that long; LOCK_UN releases it at once (flock(2)).
  deinit {
    flock(file, LOCK_UN)
    close(file)
  }
}

/// Why a file can't be written or locked.
struct FileWriteError: Error, Sendable, Hashable {
  let path: String
  let number: Int32
  /// Whether it is open and can't be locked.
  var isLocking = false

  var message: String {
    "\(path) can't be \(isLocking ? "locked" : "written"): \(String(cString: strerror(number)))"
  }

  /// What makes the file writable, or lockable.
  var remedy: String {
    switch number {
    case _ where isLocking:
      "set \"token\" of the account to a file on a file system that supports flock(2); on NFS, start its lock service"
    case ENOSPC, EDQUOT: "free space on its disk"
    case EROFS: "mount its folder writable, or set \"token\" of the account to a file in a writable folder"
    case EBUSY: "mount its folder instead of the file"
    default:
      "let this user write the file and its folder, or set \"token\" of the account to a file in a writable folder"
    }
  }
}
