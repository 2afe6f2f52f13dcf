internal import CPabalGNU
internal import Glibc
public import PabalPlugin
internal import Synchronization

/// Writes each mail to an `.eml` file: the default transport, which needs no account and no network.
///
/// A file has its final name only once it is complete and on the disk: it is written under a temporary name, synced
/// and renamed without overwriting, and the directory is synced. A killed process leaves at most a dot file.
///
/// Mails go to the directory that is at the path when they are sent: one that was removed is created again, and one
/// that was replaced is opened.
public final class FileTransport: PluginTransport {
  /// `file`, as in `libpabal-file.so`.
  public static let name = "file"
  /// The plugin's version.
  public static let version = "1"
  /// One sentence about the transport.
  public static let summary = "Writes each mail to an .eml file in a directory."
  /// The one setting, `directory`.
  public static let settings = [
    Setting(
      .path, "directory", help: "The directory for the .eml files; created if it is missing.", required: true)
  ]
  /// `true`: the directory can be tested without a mail.
  public static var canCheck: Bool { true }

  private let path: String
  private let opened: Mutex<OpenDirectory>

  /// Opens the directory; creates it and its parents if they are missing.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    path = settings.text("directory") ?? "."
    do throws(SystemError) {
      opened = Mutex(try OpenDirectory(creating: path))
    } catch {
      throw TransportOpenError(
        "the directory \(path) can't be used: \(error); create it, or set \"directory\" to another")
    }
  }

  /// Four threads, enough to keep a disk busy; files are independent of each other.
  public var parallel: Int { 4 }

  /// Writes the mail; `sent` once the file and its directory entry are on the disk.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    do throws(SystemError) {
      let (name, directory) = try write(mail)
      attempt.remoteID(name)
      do throws(SystemError) {
        try valueOrErrno("fsync of the directory", fsync(directory.descriptor))
      } catch {
        // The mail has its name, but a power cut may still remove the name.
        attempt.reply("written to \(path)/\(name), but \(error)")
        return .unknown
      }
      attempt.reply("written to \(path)/\(name)")
      return .sent
    } catch {
      attempt.reply("\(path): \(error)")
      return error.isTemporary ? .deferred() : .held(.transport)
    }
  }

  /// Creates and removes a file in the directory.
  public func check(_ attempt: Attempt) -> Verdict {
    do throws(SystemError) {
      // A random name, because a check that was killed may have left its file.
      let name = ".check-\(getpid())-\(UInt64.random(in: .min ... .max)).tmp"
      let directory = try directory()
      let file = try TemporaryFile(name, in: directory.descriptor)
      defer { file.remove() }
      try file.reserve(4_096)
      attempt.reply("\(path) is writable")
      return .ready
    } catch {
      attempt.reply("\(path) can't be written: \(error)")
      return error.isTemporary ? .deferred() : .held(.transport)
    }
  }

  /// Does nothing: the directory is closed with the last reference to it.
  public func close() {}

  /// Returns the directory that is at the path now.
  private func directory() throws(SystemError) -> OpenDirectory {
    let current = opened.withLock { $0 }
    if current.isAt(path) { return current }
    let new = try OpenDirectory(creating: path)
    opened.withLock { $0 = new }
    return new
  }

  /// Writes the mail; returns the file's name and its directory.
  private func write(_ mail: PluginMail) throws(SystemError) -> (name: String, directory: OpenDirectory) {
    let directory = try directory()
    do throws(SystemError) {
      return (try write(mail, in: directory.descriptor), directory)
    } catch {
      // It was removed just now; in a removed directory nothing can be created.
      guard error.code == ENOENT else { throw error }
      let directory = try self.directory()
      return (try write(mail, in: directory.descriptor), directory)
    }
  }

  private func write(_ mail: PluginMail, in directory: CInt) throws(SystemError) -> String {
    let id = mail.id
    // Several processes may write the same mail, each under its own temporary name.
    let file = try TemporaryFile(".\(id)-\(getpid())-\(UInt64.random(in: .min ... .max)).tmp", in: directory)
    defer { file.remove() }
    try file.write(mail.bytes)
    var name = "\(id).eml"
    var number = 1
    while true {
      let code = file.moveIntoPlace(name)
      if code == 0 { break }
      guard code == EEXIST, number < 1_000 else { throw SystemError("rename", code) }
      number += 1
      name = "\(id)-\(number).eml"
    }
    return name
  }
}

/// An open directory, closed with the last reference to it.
private final class OpenDirectory: Sendable {
  let descriptor: CInt
  private let device: dev_t
  private let inode: ino_t

  /// Opens `path`; creates it and its parents if they are missing.
  init(creating path: String) throws(SystemError) {
    try makeDirectory(path)
    let descriptor = try valueOrErrno("open", open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      _ = Glibc.close(descriptor)
      throw SystemError("fstat", code)
    }
    self.descriptor = descriptor
    device = status.st_dev
    inode = status.st_ino
  }

  deinit { _ = Glibc.close(descriptor) }

  /// Whether `path` still leads to this directory.
  func isAt(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_dev == device && status.st_ino == inode
  }
}

/// An open file under a temporary name, which the owner removes.
private struct TemporaryFile: ~Copyable {
  let name: String
  private let directory: CInt
  private let file: CInt

  init(_ name: String, in directory: CInt) throws(SystemError) {
    self.name = name
    self.directory = directory
    // Readable only by the owner, because mails contain codes.
    file = try valueOrErrno("create", openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Glibc.write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SystemError("write", errno) }
      rest = rest.dropFirst(count)
    }
    try valueOrErrno("fsync", fsync(file))
  }

  /// Allocates space on the disk, which fails if the disk is full.
  func reserve(_ count: Int) throws(SystemError) {
    let code = posix_fallocate(file, 0, count)
    guard code == 0 else { throw SystemError("write", code) }
  }

  /// Renames the file to `name` without overwriting; returns 0 or an errno.
  func moveIntoPlace(_ name: String) -> CInt {
    if renameat2(directory, self.name, directory, name, pabal_rename_noreplace) == 0 { return 0 }
    guard errno == EINVAL || errno == ENOSYS else { return errno }
    // Some network file systems don't support RENAME_NOREPLACE; a link doesn't overwrite either.
    return linkat(directory, self.name, directory, name, 0) == 0 ? 0 : errno
  }

  func remove() { _ = unlinkat(directory, name, 0) }

  deinit { _ = Glibc.close(file) }
}

/// A failed system call.
struct SystemError: Error, CustomStringConvertible {
  let call: String
  let code: CInt

  init(_ call: String, _ code: CInt) {
    self.call = call
    self.code = code
  }

  /// Whether it may pass by itself: a full or failing disk, a server that is away, or too many open files. Other errors
  /// need the operator.
  var isTemporary: Bool {
    switch code {
    case ENOSPC, EDQUOT, EIO, ESTALE, ETIMEDOUT, EMFILE, ENFILE, ENOMEM, EAGAIN: true
    default: false
    }
  }

  var description: String { "\(call): \(String(cString: strerror(code))) (errno \(code))" }
}

/// Returns the result of a system call, or throws its errno.
@discardableResult
func valueOrErrno(_ call: String, _ result: CInt) throws(SystemError) -> CInt {
  guard result >= 0 else { throw SystemError(call, errno) }
  return result
}

/// Creates `path` and its missing parents, accessible only by the owner.
func makeDirectory(_ path: String) throws(SystemError) {
  if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
  guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
    throw SystemError("mkdir", errno)
  }
  try makeDirectory(String(path[..<slash]))
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("mkdir", errno) }
}
