internal import Glibc
internal import PabalCore

/// Room for the new content of a file, prepared with the operations that store the content later.
///
/// Created before anything is requested that has to be stored, because a server may accept each refresh token only
/// once. The caller has to hold the file's lock until the content is stored.
final class PreparedFile {
  /// How the content is stored.
  enum Method: Sendable, Hashable {
    /// A new file replaces the old one by a rename.
    case replacement
    /// The content of the old file is overwritten, because the file can't be replaced: it is a mount of its own, or its
    /// folder can't be written.
    case inPlace
  }

  let method: Method
  /// The path with symbolic links resolved.
  private let path: String
  private let file: CInt
  /// The size that the disk has room for.
  private let room: Int
  private var isStored = false

  // Tokens of all known servers have less than 4 KiB together; a new one may be a little longer than the old.
  private static let block = 4096
  private static let growth = 512
  private static let sizeLimit = 1_048_576

  /// Prepares to store new content at `path`; blocks.
  static func prepare(_ path: String) throws(FileWriteError) -> PreparedFile {
    let path = PrivateFile.resolvedPath(of: path)
    let problem: FileWriteError
    do throws(FileWriteError) {
      return try replacement(of: path)
    } catch {
      problem = error
    }
    guard access(path, F_OK) == 0 else { throw problem }
    do throws(FileWriteError) {
      return try inPlace(path)
    } catch {
      // A mount of a single file can never be replaced, so why it can't be overwritten is the reason.
      throw problem.number == EBUSY ? error : problem
    }
  }

  /// Replaces the file by a copy of itself, which shows that the rename will work, and reserves the space for the next.
  private static func replacement(of path: String) throws(FileWriteError) -> PreparedFile {
    let old = try content(of: path)
    if let old { try PrivateFile.write(old, to: path) }
    let file = try PrivateFile.createTemporary(for: path)
    let room = room(for: old ?? [])
    let prepared = PreparedFile(.replacement, path, file, room)
    try PrivateFile.writeAll([UInt8](repeating: 0x20, count: room), to: file, path: path)
    guard fsync(file) == 0 else { throw FileWriteError(path: path, number: errno) }
    return prepared
  }

  /// Overwrites the file with its own content, followed by spaces up to the size that the new content may need.
  private static func inPlace(_ path: String) throws(FileWriteError) -> PreparedFile {
    let file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { throw FileWriteError(path: path, number: errno) }
    let old: [UInt8]
    do throws(FileWriteError) {
      old = try content(of: path) ?? []
    } catch {
      close(file)
      throw error
    }
    let prepared = PreparedFile(.inPlace, path, file, room(for: old))
    try prepared.overwrite(with: old, orRestore: old)
    return prepared
  }

  private init(_ method: Method, _ path: String, _ file: CInt, _ room: Int) {
    self.method = method
    self.path = path
    self.file = file
    self.room = room
  }

  deinit {
    close(file)
    if method == .replacement, !isStored { unlink(PrivateFile.temporaryPath(of: path)) }
  }

  /// Stores the content; blocks until it is on the disk. Must be called at most once.
  func store(_ bytes: [UInt8]) throws(FileWriteError) {
    guard method == .replacement else {
      try overwrite(with: bytes, orRestore: try Self.content(of: path) ?? [])
      return
    }
    do throws(FileWriteError) {
      try PrivateFile.writeAll(bytes, to: file, path: path)
      guard ftruncate(file, off_t(bytes.count)) == 0 else { throw FileWriteError(path: path, number: errno) }
      try PrivateFile.replace(path, by: file)
      isStored = true
    } catch {
      // The file may have become a mount of its own meanwhile.
      guard access(path, F_OK) == 0, let other = try? Self.inPlace(path) else { throw error }
      try other.store(bytes)
    }
  }

  /// Overwrites the file and reads it back. Writes `old` again if that fails.
  ///
  /// The spaces at the end, which JSON allows, keep the file as long as before: it never has to be truncated, so a reader
  /// or a killed process leaves no mixture of two contents.
  private func overwrite(with bytes: [UInt8], orRestore old: [UInt8]) throws(FileWriteError) {
    func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] {
      bytes + [UInt8](repeating: 0x20, count: max(0, count - bytes.count))
    }
    do throws(FileWriteError) {
      let content = padded(bytes, to: max(room, old.count))
      try PrivateFile.writeAll(content, to: file, path: path)
      // Some network file systems can't sync.
      guard fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP else {
        throw FileWriteError(path: path, number: errno)
      }
      guard try Self.content(of: path) == content else { throw FileWriteError(path: path, number: EIO) }
    } catch {
      try? PrivateFile.writeAll(old, to: file, path: path)
      _ = ftruncate(file, off_t(old.count))
      fsync(file)
      throw error
    }
  }

  private static func room(for old: [UInt8]) -> Int {
    // Without the spaces of an earlier time, or the file would grow with each.
    let length = (old.lastIndex { $0 != 0x20 } ?? -1) + 1
    return (length + growth + block - 1) / block * block
  }

  /// Returns the content; `nil` if the file doesn't exist.
  private static func content(of path: String) throws(FileWriteError) -> [UInt8]? {
    do throws(FileError) {
      return try readFile(path, atMost: sizeLimit)
    } catch {
      switch error.kind {
      case .notFound: return nil
      case .notPermitted: throw FileWriteError(path: path, number: EACCES)
      case .directory: throw FileWriteError(path: path, number: EISDIR)
      case .tooLarge: throw FileWriteError(path: path, number: EFBIG)
      case .other(let number): throw FileWriteError(path: path, number: number)
      }
    }
  }
}
