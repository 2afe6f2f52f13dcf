internal import Glibc
internal import PabalCore

/// The file itself, before SQLite sees it.
enum DatabaseFile {
  /// Makes the file for its owner alone if it isn't there; says clearly why it can't be used.
  static func prepare(_ path: String) throws(StorageError) {
    // Never opened where it exists: closing a descriptor drops the locks that this process's other
    // connections have on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    if access(path, F_OK) != 0 {
      guard errno == ENOENT else { throw StorageError(errno: errno, place: path) }
      try make(path)
    }
    guard faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 else {
      throw StorageError(errno: errno, place: path)
    }
    guard faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
    // Its log and its shared memory stand beside it.
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 else {
      throw StorageError(.readOnly, place: path)
    }
  }

  /// What tells a file from one that took its place.
  struct Identity: Sendable, Hashable {
    private let device: dev_t
    private let inode: ino_t

    /// The file at `path`; `nil` where there is none.
    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      (device, inode) = (status.st_dev, status.st_ino)
    }
  }

  private static func make(_ path: String) throws(StorageError) {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      guard mkdir(String(path[..<slash]), 0o700) == 0 || errno == EEXIST else {
        throw StorageError(errno: errno, place: path)
      }
    }
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else {
      // Another process made it a moment ago.
      if errno == EEXIST { return }
      throw StorageError(errno: errno, place: path)
    }
    Glibc.close(file)
  }
}

extension StorageError {
  fileprivate init(errno number: Int32, place: String) {
    let kind: Kind =
      switch number {
      case ENOSPC, EDQUOT: .full
      case EROFS: .readOnly
      case EACCES, EPERM: .notPermitted
      default: .other(String(cString: strerror(number)))
      }
    self.init(kind, place: place)
  }
}
