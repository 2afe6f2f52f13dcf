internal import Glibc

/// Why a file could not be read.
public struct FileError: Error, Sendable, Hashable {
  /// What kind of problem it is.
  public enum Kind: Sendable, Hashable {
    /// There is no such file, or a folder on the way is no folder.
    case notFound
    /// This user may not read it.
    case notPermitted
    /// It is a folder.
    case directory
    /// It holds more bytes than the caller wants.
    case tooLarge(limit: Int)
    /// Anything else, by its errno.
    case other(Int32)
  }

  /// What kind of problem it is.
  public var kind: Kind
  /// The file, as the caller named it.
  public var path: String

  /// What is wrong; one sentence without its full stop.
  public var message: String {
    // A name with a line break in it must not make two lines of one error.
    let path = path.containsControlCharacter ? quoted(path) : path
    return switch kind {
    case .notFound: "there is no file \(path)"
    case .notPermitted: "\(path) may not be read by this user"
    case .directory: "\(path) is a folder, not a file"
    case .tooLarge(let limit): "\(path) is larger than \(limit) octets"
    case .other(let number): "\(path) can't be read: \(String(cString: strerror(number)))"
    }
  }

  /// What to do next, where there is something to say.
  public var remedy: String? {
    switch kind {
    case .notPermitted: "chmod u+r it, or run as its owner"
    case .notFound, .directory, .tooLarge, .other: nil
    }
  }

  /// The same as a diagnostic of the file itself.
  public var diagnostic: Diagnostic { Diagnostic(message, remedy: remedy) }
}

/// Reads the whole of a file of at most `limit` bytes, or of a pipe that somebody writes to; blocks.
///
/// A named pipe that nobody writes to yet is empty, unless `waitsForWriter` says to wait for its writer.
public func readFile(
  _ path: String, atMost limit: Int, waitsForWriter: Bool = false
) throws(FileError) -> [UInt8] {
  try readFile(path, atMost: limit, waitsForWriter: waitsForWriter) { _ throws(FileError) in }
}

/// Reads standard input from where it stands, at most `limit` bytes; blocks.
///
/// The descriptor itself, not `/dev/stdin`: that can't open a socket, and begins a file anew.
public func readStandardInput(atMost limit: Int) throws(FileError) -> [UInt8] {
  try readAll(STDIN_FILENO, "standard input", atMost: limit, expectedSize: 0)
}

/// What the system says of an opened file.
struct FileAttributes {
  /// The permission bits, `0o7777` of st_mode.
  var mode: UInt32
  var owner: UInt32
  var isRegular: Bool
}

/// Reads a file that `validate` has let through, looking at the opened file and not at its name again.
func readFile(
  _ path: String, atMost limit: Int, waitsForWriter: Bool = false,
  validate: (FileAttributes) throws(FileError) -> Void
) throws(FileError) -> [UInt8] {
  // A NUL would cut the name short and open another file.
  guard !path.utf8.contains(0) else { throw FileError(kind: .notFound, path: path) }
  // Without O_NONBLOCK a named pipe that nobody writes to would hold us here for good.
  let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (waitsForWriter ? 0 : O_NONBLOCK))
  guard file >= 0 else { throw FileError(errno: errno, path: path) }
  defer { close(file) }

  var status = stat()
  guard fstat(file, &status) == 0 else { throw FileError(errno: errno, path: path) }
  let kind = status.st_mode & S_IFMT
  guard kind != S_IFDIR else { throw FileError(kind: .directory, path: path) }
  try validate(
    FileAttributes(mode: status.st_mode & 0o7777, owner: status.st_uid, isRegular: kind == S_IFREG))
  guard kind != S_IFREG || status.st_size <= limit else {
    throw FileError(kind: .tooLarge(limit: limit), path: path)
  }

  if kind != S_IFREG { _ = fcntl(file, F_SETFL, 0) }

  // One byte more than announced, so that the usual file ends in one further call that says 0.
  return try readAll(
    file, path, atMost: limit, expectedSize: kind == S_IFREG ? Int(status.st_size) + 1 : 0)
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
}
