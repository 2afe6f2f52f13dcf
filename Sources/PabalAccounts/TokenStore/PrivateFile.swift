internal import Glibc

/// Why a file could not be written.
struct FileWriteError: Error {
  let path: String
  let number: Int32

  var message: String { "\(path) can't be written: \(String(cString: strerror(number)))" }
}

/// Files that only their owner may read, written so that at any moment the old or the new one is there whole.
enum PrivateFile {
  /// Writes `octets` to `path`; one writer at a time, which is the caller's to see to. Blocks.
  static func write(_ octets: [UInt8], to path: String) throws(FileWriteError) {
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
      var rest = octets[...]
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
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileWriteError(path: path, number: errno) }
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
    guard fchown(file, facts.st_uid, facts.st_gid) == 0 else { throw FileWriteError(path: path, number: errno) }
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
