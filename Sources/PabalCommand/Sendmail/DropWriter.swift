import Glibc
import PabalCore

/// Writes a mail into the drop directory of `pabal serve`, which any user may write to and only the service can read.
///
/// The file is created under its final name, which is the mail's id, and is incomplete until its mode is
/// ``completeMode``. So the writer needs neither a rename nor an fsync of the directory, which it may not open.
struct DropWriter {
  /// Why the mail isn't in the directory.
  struct Failure: Error {
    /// What happened, as the end of "the drop directory PATH …".
    var reason: String
  }

  /// The mode of a complete file: read-only for its owner and the directory's group.
  static let completeMode: mode_t = 0o440

  /// The path of the directory.
  let path: String

  /// Stores `bytes` durably under the name `id`.
  func write(_ bytes: [UInt8], id: String) throws(Failure) {
    try examine()
    let file = "\(path)/\(id)"
    let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0o640)
    guard descriptor >= 0 else { throw Self.failure(errno) }
    defer { close(descriptor) }
    do throws(Failure) {
      var written = 0
      while written < bytes.count {
        let count = bytes.withUnsafeBytes {
          Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written)
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw Self.failure(count < 0 ? errno : ENOSPC) }
        written += count
      }
      guard fsync(descriptor) == 0, fchmod(descriptor, Self.completeMode) == 0 else {
        throw Self.failure(errno)
      }
    } catch {
      unlink(file)
      throw error
    }
    guard fsync(descriptor) != 0 else { return }
    let reason = Self.failure(errno)
    // The mail is complete, but its mark may not survive a crash. If the service has removed the file, it has queued it.
    guard unlink(file) == 0 else { return }
    throw reason
  }

  /// Throws unless the directory is one for drop files. The path may be a stranger's, who would put files elsewhere.
  private func examine() throws(Failure) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw Self.failure(errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Self.failure(ENOTDIR) }
    let special = S_ISVTX | S_ISGID
    guard status.st_mode & special == special, status.st_mode & (S_IRGRP | S_IROTH) == 0 else {
      throw Failure(
        reason: "has mode \(String(status.st_mode & 0o7777, radix: 8)), not 3733 as a drop directory")
    }
  }

  private static func failure(_ number: CInt) -> Failure {
    switch number {
    case ENOENT: Failure(reason: "doesn't exist")
    case ENOTDIR: Failure(reason: "isn't a directory")
    case EACCES, EPERM: Failure(reason: "can't be written by this user")
    default: Failure(reason: String(cString: strerror(number)))
    }
  }
}
