internal import Glibc

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
