internal import Glibc
internal import PabalCore

/// Files that only their owner can read, replaced atomically.
enum PrivateFile {
  /// Writes `bytes` to `path`; blocks. The caller has to make sure that there is only one writer at a time.
  static func write(_ bytes: [UInt8], to path: String) throws(FileWriteError) {
    let path = resolvedPath(of: path)
    let file = try createTemporary(for: path)
    defer { close(file) }
    do throws(FileWriteError) {
      try writeAll(bytes, to: file, path: path)
      try replace(path, by: file)
    } catch {
      unlink(temporaryPath(of: path))
      throw error
    }
  }

  /// The name under which the new content of `path` is written.
  ///
  /// Fixed instead of random, so that the leftover of a killed process is overwritten.
  static func temporaryPath(of path: String) -> String {
    let name = path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]
    return "\(parent(of: path))/.\(path.contains("/") ? String(name) : path).new"
  }

  /// Creates the temporary file that will replace `path`, and its folder; returns its descriptor.
  static func createTemporary(for path: String) throws(FileWriteError) -> CInt {
    let folder = parent(of: path)
    try createFolder(folder)
    let temporary = temporaryPath(of: path)
    guard unlink(temporary) == 0 || errno == ENOENT else {
      throw FileWriteError(path: temporary, number: errno)
    }
    let file = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
    do throws(FileWriteError) {
      try copyOwner(file, like: path, or: folder)
      guard fchmod(file, 0o600) == 0 else { throw FileWriteError(path: path, number: errno) }
    } catch {
      close(file)
      unlink(temporary)
      throw error
    }
    return file
  }

  /// Writes `bytes` at the start of an open file.
  static func writeAll(_ bytes: [UInt8], to file: CInt, path: String) throws(FileWriteError) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        pwrite(file, $0.baseAddress, $0.count, off_t(written))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw FileWriteError(path: path, number: count < 0 ? errno : ENOSPC) }
      written += count
    }
  }

  /// Renames the temporary file of `path`, open as `file`, to `path`.
  static func replace(_ path: String, by file: CInt) throws(FileWriteError) {
    guard fsync(file) == 0 else { throw FileWriteError(path: path, number: errno) }
    // Another process that works without this one's lock may have put its own file there.
    var (ours, named) = (stat(), stat())
    guard fstat(file, &ours) == 0, lstat(temporaryPath(of: path), &named) == 0 else {
      throw FileWriteError(path: path, number: errno)
    }
    guard ours.st_ino == named.st_ino, ours.st_dev == named.st_dev else {
      throw FileWriteError(path: path, number: EBUSY)
    }
    guard rename(temporaryPath(of: path), path) == 0 else { throw FileWriteError(path: path, number: errno) }
    try syncFolder(parent(of: path))
  }

  /// Removes a file; a missing file isn't an error.
  static func remove(_ path: String) throws(FileWriteError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw FileWriteError(path: path, number: errno) }
    try syncFolder(parent(of: path))
  }

  /// Removes a file and its content: behind symbolic links, under further hard links, and in place if the file itself
  /// can't be removed. Afterwards the file is missing or empty. A missing file isn't an error.
  static func erase(_ path: String) throws(FileWriteError) {
    let path = resolvedPath(of: path)
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT || errno == ENOTDIR else { throw FileWriteError(path: path, number: errno) }
      return
    }
    var isErased = false
    if status.st_mode & S_IFMT == S_IFREG {
      let file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      if file >= 0 {
        defer { close(file) }
        try? writeAll([UInt8](repeating: 0x20, count: Int(clamping: status.st_size)), to: file, path: path)
        isErased = fsync(file) == 0 && ftruncate(file, 0) == 0 && fsync(file) == 0
      }
    }
    let openError = errno
    let isRemoved = unlink(path) == 0 || errno == ENOENT
    guard isErased || isRemoved else { throw FileWriteError(path: path, number: errno) }
    // Another name still leads to the content.
    guard isErased || status.st_nlink < 2 else { throw FileWriteError(path: path, number: openError) }
    if isRemoved { try syncFolder(parent(of: path)) }
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

  /// Returns the path with symbolic links resolved, so that the target of a link is replaced instead of the link; the
  /// target doesn't have to exist.
  static func resolvedPath(of path: String) -> String {
    var path = path
    // As many as Linux follows.
    for _ in 0..<40 {
      if let real = realpath(path, nil) {
        defer { free(real) }
        return String(cString: real)
      }
      guard errno == ENOENT, let target = linkTarget(of: path) else { return path }
      path = target.hasPrefix("/") ? target : "\(parent(of: path))/\(target)"
    }
    return path
  }

  private static func linkTarget(of path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // A rename survives a power failure only after the folder is synced.
  private static func syncFolder(_ folder: String) throws(FileWriteError) {
    let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // A folder may be writable but not readable; the new content is there anyway.
    guard file >= 0 else { return }
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
