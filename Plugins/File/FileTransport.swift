internal import CPabalGNU
internal import Glibc
public import PabalPlugin

/// Writes each mail as one `.eml` file: the embedded default, without account or network.
///
/// A file appears under its name only when it is whole and on the disk: temporary name, `fsync`, a rename
/// that never overwrites, `fsync` of the directory. A killed process leaves at most a dot file.
public final class FileTransport: PluginTransport {
  /// `file`, as in `libpabal-file.so`.
  public static let name = "file"
  /// The version, for people.
  public static let version = "1"
  /// What the transport does.
  public static let summary = "Writes each mail as one .eml file into a directory."
  /// The one setting, `directory`.
  public static let settings = [
    Setting(.path, "directory", help: "Where the .eml files go; made if it is missing.", required: true)
  ]
  /// The directory can be tried without a mail.
  public static var canCheck: Bool { true }

  private let path: String
  private let directory: CInt

  /// Opens the directory, making it and its parents where they are missing.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    path = settings.text("directory") ?? "."
    do throws(SystemError) {
      try makeDirectory(path)
      directory = try valueOrErrno("open", open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    } catch {
      throw TransportOpenError(
        "the directory \(path) can't be used: \(error); make it, or name another one under \"directory\"")
    }
  }

  /// Files don't get in each other's way; four threads keep a disk's queue filled.
  public var parallel: Int { 4 }

  /// Writes the mail; `sent` once file and directory entry are on the disk.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    do throws(SystemError) {
      let name = try write(mail)
      attempt.remoteID(name)
      do throws(SystemError) {
        try valueOrErrno("fsync of the directory", fsync(directory))
      } catch {
        // The mail stands there under its name; a power cut may yet take the name away.
        attempt.reply("written to \(path)/\(name), but \(error)")
        return .unknown
      }
      attempt.reply("written to \(path)/\(name)")
      return .sent
    } catch {
      attempt.reply("\(path): \(error)")
      // Only a full disk mends itself; the rest waits for the operator.
      return error.code == ENOSPC || error.code == EDQUOT || error.code == EIO
        ? .deferred() : .held(.transport)
    }
  }

  /// Makes and removes a file in the directory.
  public func check(_ attempt: Attempt) -> Verdict {
    do throws(SystemError) {
      // One that an earlier check was killed over must not count as a fault.
      let name = ".check-\(getpid())-\(UInt64.random(in: .min ... .max)).tmp"
      let file = try TemporaryFile(name, in: directory)
      defer { file.remove() }
      try file.reserve(4_096)
      attempt.reply("\(path) is writable")
      return .ready
    } catch {
      attempt.reply("\(path) can't be written: \(error)")
      return .held(.transport)
    }
  }

  /// Gives the directory back.
  public func close() { _ = Glibc.close(directory) }

  /// Writes the bytes and returns the name they now stand under.
  private func write(_ mail: PluginMail) throws(SystemError) -> String {
    let id = mail.id
    // Many processes may hand the same mail over; each has a temporary name of its own.
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

/// A file under a temporary name, removed again when it is done with.
private struct TemporaryFile: ~Copyable {
  let name: String
  private let directory: CInt
  private let file: CInt

  init(_ name: String, in directory: CInt) throws(SystemError) {
    self.name = name
    self.directory = directory
    // Mails hold codes: nobody but the owner reads them.
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

  /// Takes room on the disk, so that a full one shows.
  func reserve(_ count: Int) throws(SystemError) {
    let code = posix_fallocate(file, 0, count)
    guard code == 0 else { throw SystemError("write", code) }
  }

  /// Gives the file its final `name` unless that is taken: 0, or an errno.
  func moveIntoPlace(_ name: String) -> CInt {
    if renameat2(directory, self.name, directory, name, pabal_rename_noreplace) == 0 { return 0 }
    guard errno == EINVAL || errno == ENOSYS else { return errno }
    // Some network file systems have no such rename; a link never overwrites either.
    return linkat(directory, self.name, directory, name, 0) == 0 ? 0 : errno
  }

  func remove() { _ = unlinkat(directory, name, 0) }

  deinit { _ = Glibc.close(file) }
}

/// A call of the system's that failed, in words.
struct SystemError: Error, CustomStringConvertible {
  let call: String
  let code: CInt

  init(_ call: String, _ code: CInt) {
    self.call = call
    self.code = code
  }

  var description: String { "\(call): \(String(cString: strerror(code))) (errno \(code))" }
}

/// The result of a call, or its errno as an error.
@discardableResult
func valueOrErrno(_ call: String, _ result: CInt) throws(SystemError) -> CInt {
  guard result >= 0 else { throw SystemError(call, errno) }
  return result
}

/// Makes `path` and its missing parents, for the owner alone.
func makeDirectory(_ path: String) throws(SystemError) {
  if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
  guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
    throw SystemError("mkdir", errno)
  }
  try makeDirectory(String(path[..<slash]))
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("mkdir", errno) }
}
