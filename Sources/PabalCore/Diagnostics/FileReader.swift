internal import Glibc

/// Why a file could not be read.
public struct FileError: Error, Sendable, Hashable {
  /// The kinds of errors.
  public enum Kind: Sendable, Hashable {
    /// The file does not exist, or a part of its path is not a directory.
    case notFound
    /// This user has no permission to read it.
    case notPermitted
    /// It is a directory.
    case directory
    /// It has more bytes than the caller accepts.
    case tooLarge(limit: Int)
    /// Any other error, by its errno.
    case other(Int32)
  }

  /// What went wrong.
  public var kind: Kind
  /// The file, as the caller named it.
  public var path: String

  /// What is wrong; one sentence without its full stop.
  public var message: String {
    // A name with a line break must not split the error into two lines.
    let path = path.containsControlCharacter ? quoted(path) : path
    return switch kind {
    case .notFound: "\(path): file not found"
    case .notPermitted: "\(path): this user has no permission to read it"
    case .directory: "\(path): a directory, not a file"
    case .tooLarge(let limit): "\(path): larger than \(limit) bytes"
    case .other(let number): "\(path): \(String(cString: strerror(number)))"
    }
  }

  /// What to do; one sentence without its full stop.
  public var remedy: String? {
    switch kind {
    case .notPermitted: "add the permission with chmod u+r, or run as the owner of the file"
    case .notFound, .directory, .tooLarge, .other: nil
    }
  }

  /// The error as a diagnostic.
  public var diagnostic: Diagnostic { Diagnostic(message, remedy: remedy) }
}

/// Reads all of a file, or of a named pipe, of at most `limit` bytes. Blocks.
///
/// A named pipe without a writer reads as empty, unless `waitsForWriter` says to wait for one.
public func readFile(
  _ path: String, atMost limit: Int, waitsForWriter: Bool = false
) throws(FileError) -> [UInt8] {
  try readFile(path, atMost: limit, waitsForWriter: waitsForWriter) { _ throws(FileError) in }
}

/// Reads the rest of standard input, at most `limit` bytes. Blocks.
///
/// It reads the descriptor instead of opening `/dev/stdin`, which fails for a socket and starts a file over.
public func readStandardInput(atMost limit: Int) throws(FileError) -> [UInt8] {
  try readAll(STDIN_FILENO, "standard input", atMost: limit, expectedSize: 0)
}

/// The attributes of an open file.
struct FileAttributes {
  /// The permission bits, `0o7777` of st_mode.
  var mode: UInt32
  /// The user id of the owner.
  var owner: UInt32
  var isRegular: Bool
  var identity: FileIdentity?
  /// Whether the mount of the file is read-only.
  var isOnReadOnlyMount = false
  /// The device of the file's mount, `st_dev`.
  var device: UInt64 = 0

  /// Whether the file is a secret as container engines mount it: of root or `user`, and not writable by others.
  func isMountedSecret(user: UInt32) -> Bool {
    guard owner == 0 || owner == user, mode & 0o022 == 0 else { return false }
    return isOnReadOnlyMount || owner == 0 && mode & 0o222 == 0 && isInMemory
  }

  /// Whether the file is on a tmpfs; `/proc/self/mountinfo` (proc(5)) has the device of each mount and its type.
  private var isInMemory: Bool {
    guard let bytes = try? readFile("/proc/self/mountinfo", atMost: 1 << 20) else { return false }
    // As in makedev(3).
    let major = device >> 8 & 0xFFF | device >> 32 & ~0xFFF
    let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00
    let number = "\(major):\(minor)"
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { line in
      let fields = line.split(separator: " ")
      guard fields.count > 4, fields[2] == number, let dash = fields.firstIndex(of: "-") else { return false }
      return fields.indices.contains(dash + 1) && ["tmpfs", "ramfs"].contains(fields[dash + 1])
    }
  }
}

/// Reads a file unless `validate` throws. It is passed the attributes of the open file, because the file behind the
/// name may change meanwhile.
func readFile(
  _ path: String, atMost limit: Int, waitsForWriter: Bool = false,
  validate: (FileAttributes) throws(FileError) -> Void
) throws(FileError) -> [UInt8] {
  // A NUL would end the name early and open another file.
  guard !path.utf8.contains(0) else { throw FileError(kind: .notFound, path: path) }
  // Without O_NONBLOCK, open would wait forever for a writer of a named pipe.
  let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (waitsForWriter ? 0 : O_NONBLOCK))
  guard file >= 0 else { throw FileError(errno: errno, path: path) }
  defer { close(file) }

  var status = stat()
  guard fstat(file, &status) == 0 else { throw FileError(errno: errno, path: path) }
  let kind = status.st_mode & S_IFMT
  guard kind != S_IFDIR else { throw FileError(kind: .directory, path: path) }
  try validate(
    FileAttributes(
      mode: status.st_mode & 0o7777, owner: status.st_uid, isRegular: kind == S_IFREG,
      identity: FileIdentity(status), isOnReadOnlyMount: isOnReadOnlyMount(file),
      device: UInt64(status.st_dev)))
  guard kind != S_IFREG || status.st_size <= limit else {
    throw FileError(kind: .tooLarge(limit: limit), path: path)
  }

  if kind != S_IFREG { _ = fcntl(file, F_SETFL, 0) }

  // One byte more than the size, so that all of a regular file arrives in one call and the next returns 0.
  return try readAll(
    file, path, atMost: limit, expectedSize: kind == S_IFREG ? Int(status.st_size) + 1 : 0)
}

private func isOnReadOnlyMount(_ file: CInt) -> Bool {
  var status = statvfs()
  return fstatvfs(file, &status) == 0 && status.f_flag & 1 != 0  // ST_RDONLY
}

private func readAll(
  _ file: CInt, _ path: String, atMost limit: Int, expectedSize: Int
) throws(FileError) -> [UInt8] {
  var bytes: [UInt8] = []
  while bytes.count <= limit {
    let wanted = max(expectedSize - bytes.count, 4096)
    var failure: Int32 = 0
    let before = bytes.count
    bytes.append(
      contentsOf: [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        var bytesRead = read(file, buffer.baseAddress, wanted)
        while bytesRead < 0, errno == EINTR { bytesRead = read(file, buffer.baseAddress, wanted) }
        if bytesRead < 0 { failure = errno }
        count = max(bytesRead, 0)
      })
    if failure != 0 { throw FileError(errno: failure, path: path) }
    if bytes.count == before { return bytes }
  }
  throw FileError(kind: .tooLarge(limit: limit), path: path)
}

extension FileError {
  init(errno number: Int32, path: String) {
    let kind: Kind =
      switch number {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, EPERM: .notPermitted
      case EISDIR: .directory
      default: .other(number)
      }
    self.init(kind: kind, path: path)
  }

  /// Whether trying again may succeed without any change by a person.
  var isTransient: Bool {
    switch kind {
    case .other(EMFILE), .other(ENFILE), .other(ENOMEM), .other(EIO), .other(ESTALE), .other(ETIMEDOUT): true
    case .notFound, .notPermitted, .directory, .tooLarge, .other: false
    }
  }
}
