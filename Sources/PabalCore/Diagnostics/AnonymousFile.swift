internal import CPabalGNU
internal import Glibc

/// A file in memory that has no name, for passing bytes to the program that replaces this one.
package enum AnonymousFile {
  /// Makes `bytes` the content of standard input, from its beginning. Returns the errno of a failure, or 0.
  package static func replaceStandardInput(with bytes: [UInt8]) -> CInt {
    // Not MFD_CLOEXEC: the duplicate is meant for the next program, and this descriptor is closed.
    let file = memfd_create("mail", 0)
    guard file >= 0 else { return errno }
    defer { if file != STDIN_FILENO { close(file) } }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(file, $0.baseAddress.map { $0 + written }, $0.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count < 0 ? errno : ENOSPC }
      written += count
    }
    guard lseek(file, 0, SEEK_SET) == 0, dup2(file, STDIN_FILENO) >= 0 else { return errno }
    return 0
  }
}
