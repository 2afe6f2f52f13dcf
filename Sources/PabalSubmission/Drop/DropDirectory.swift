import Glibc
import PabalCore

/// An open drop directory, whose files any user of this machine may have written.
///
/// Links are never followed, and nothing but a regular file is opened.
struct DropDirectory: ~Copyable {
  /// A directory that isn't used, with the reason.
  struct Failure: Error, Hashable {
    let reason: String
    /// Whether the cause is a mode or an owner, which stay until somebody changes them.
    var isDenied = false
  }

  /// A complete file.
  struct File: Sendable {
    /// Its name, which is the id of its mail.
    let name: String
    /// Its size in bytes.
    let size: Int
    /// The user who wrote it.
    let owner: uid_t
    /// When its mode, owner or content last changed, in nanoseconds since 1970.
    let changed: Int
  }

  /// What is known about an entry of the directory.
  enum Entry {
    case complete(File)
    /// A file that isn't complete, with the time of its last change in seconds since 1970.
    case incomplete(changed: Int)
    /// An entry that isn't a file of a mail, with the reason.
    case unusable(String)
    /// An entry that doesn't exist any more.
    case gone
  }

  /// The mode by which a writer marks its file as complete.
  static let completeMode: mode_t = 0o440
  /// The directory in it to which refused files are moved.
  static let refusedName = "refused"

  fileprivate let descriptor: CInt
  /// When an entry was last added or removed, in nanoseconds since 1970.
  let changed: Int

  /// Opens the directory; returns `nil` if it doesn't exist.
  static func open(_ path: String) throws(Failure) -> DropDirectory? {
    let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let number = errno
      if number == ENOENT { return nil }
      var status = stat()
      if number == EACCES, stat(path, &status) == 0, status.st_uid != geteuid() { throw foreign }
      throw Failure(reason: String(cString: strerror(number)))
    }
    var status = stat()
    let isKnown = fstat(descriptor, &status) == 0
    let directory = DropDirectory(
      descriptor: descriptor,
      changed: nanoseconds(status.st_mtim))
    guard isKnown else { throw Failure(reason: "its owner can't be read") }
    // Otherwise files couldn't be removed, and would be read again after the outbox has forgotten their ids.
    guard status.st_uid == geteuid() || geteuid() == 0 else { throw foreign }
    guard status.st_mode & S_IWOTH == 0 || status.st_mode & S_ISVTX != 0 else {
      throw Failure(reason: "any user can remove the mail of others in it; set its mode to 3733")
    }
    // Otherwise a file has the group of its writer, and this process can't read it.
    guard status.st_mode & S_IWOTH == 0 || status.st_mode & S_ISGID != 0 || geteuid() == 0 else {
      throw Failure(reason: "mail of other users couldn't be read in it; set its mode to 3733")
    }
    return directory
  }

  private static let foreign = Failure(
    reason:
      "belongs to another user; change its owner, and that of the files in it, to the user of pabal serve")

  /// A time as nanoseconds since 1970. Users choose the times of their files, even beyond what fits.
  private static func nanoseconds(_ time: timespec) -> Int {
    min(max(Int(time.tv_sec), 0), 1 << 32) * 1_000_000_000 + Int(time.tv_nsec)
  }

  deinit { close(descriptor) }

  /// Calls `body` with the name of each entry, except those of the service itself.
  func forEachName(_ body: (String) -> Void) throws(Failure) {
    // `fdopendir` takes over the descriptor, and its position would be shared by a duplicate.
    let copy = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0, let stream = fdopendir(copy) else {
      let failure = Failure(reason: String(cString: strerror(errno)))
      if copy >= 0 { close(copy) }
      throw failure
    }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if [".", "..", Self.refusedName, PublishedLimits.name, Self.draftName].contains(name) { continue }
      body(name)
    }
  }

  /// Looks at an entry without opening it.
  func entry(_ name: String) -> Entry {
    // Names come from any user. Unlike ids, other names may be invalid UTF-8, and two could look the same after its repair.
    guard MailIdentity.isID(name) else { return .unusable("its name isn't the id of a mail") }
    var status = stat()
    guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      return errno == ENOENT ? .gone : .unusable(String(cString: strerror(errno)))
    }
    return Self.entry(name, status)
  }

  private static func entry(_ name: String, _ status: stat) -> Entry {
    guard status.st_mode & S_IFMT == S_IFREG else { return .unusable("it isn't a regular file") }
    // A link may lead to a file of another user, in whose name it would be sent.
    guard status.st_nlink == 1 else { return .unusable("it has more than one link") }
    guard status.st_mode & 0o7777 == completeMode else {
      return .incomplete(changed: nanoseconds(status.st_mtim) / 1_000_000_000)
    }
    // A file can be larger than all memory, because what was never written takes no space.
    let size = min(Int(status.st_size), 1 << 40)
    return .complete(
      File(name: name, size: size, owner: status.st_uid, changed: nanoseconds(status.st_ctim)))
  }

  /// A mail that was read.
  struct Content: Sendable {
    let bytes: [UInt8]
    /// The user who wrote the file.
    let owner: uid_t
  }

  /// Reads a complete file of at most `limit` bytes, or that much of a larger one if `isPart`; returns `nil` if it is gone or
  /// has changed meanwhile.
  func read(_ file: File, atMost limit: Int, isPart: Bool = false) throws(Failure) -> Content? {
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    let source = openat(descriptor, file.name, flags)
    guard source >= 0 else {
      let number = errno
      if number == ENOENT || number == ELOOP { return nil }
      throw Failure(
        reason: String(cString: strerror(number)), isDenied: number == EACCES || number == EPERM)
    }
    defer { close(source) }
    var status = stat()
    guard fstat(source, &status) == 0, case .complete(let opened) = Self.entry(file.name, status),
      isPart || opened.size <= limit
    else { return nil }
    let size = min(opened.size, limit)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    while bytes.count < size {
      let wanted = size - bytes.count
      var failure: CInt = 0
      let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        var received = Glibc.read(source, buffer.baseAddress, wanted)
        while received < 0, errno == EINTR { received = Glibc.read(source, buffer.baseAddress, wanted) }
        if received < 0 { failure = errno }
        count = max(0, received)
      }
      guard failure == 0 else { throw Failure(reason: String(cString: strerror(failure))) }
      guard !part.isEmpty else { return nil }
      bytes += part
    }
    return Content(bytes: bytes, owner: status.st_uid)
  }

  /// Removes the file of a mail that is in the outbox.
  func remove(_ name: String) throws(Failure) {
    guard unlinkat(descriptor, name, 0) == 0 || errno == ENOENT else {
      throw Failure(reason: String(cString: strerror(errno)))
    }
  }

  // The name of the file of limits while it is being written.
  private static let draftName = "limits.new"

  /// Publishes the limits for writers, in a file that all users can read.
  func publish(_ limits: PublishedLimits) throws(Failure) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    var draft = openat(descriptor, Self.draftName, flags, 0o644)
    if draft < 0, errno == EEXIST, unlinkat(descriptor, Self.draftName, 0) == 0 {
      draft = openat(descriptor, Self.draftName, flags, 0o644)
    }
    guard draft >= 0 else { throw Failure(reason: "\(Self.draftName): \(String(cString: strerror(errno)))") }
    defer { close(draft) }
    let bytes = Array(limits.text.utf8)
    guard write(draft, bytes, bytes.count) == bytes.count, fchmod(draft, 0o644) == 0,
      renameat(descriptor, Self.draftName, descriptor, PublishedLimits.name) == 0
    else {
      throw Failure(reason: "\(PublishedLimits.name): \(String(cString: strerror(errno)))")
    }
  }

  /// Moves a refused file to the directory `refused`, which only the owner can use.
  func moveAside(_ name: String) throws(Failure) {
    // Exists already, except for the first time.
    _ = mkdirat(descriptor, Self.refusedName, 0o700)
    let refused = openat(descriptor, Self.refusedName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard refused >= 0 else {
      throw Failure(reason: "\(Self.refusedName): \(String(cString: strerror(errno)))")
    }
    defer { close(refused) }
    var status = stat()
    // Any user could have made a directory of this name first, and would then own what is moved there.
    guard fstat(refused, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw Failure(reason: "\(Self.refusedName) belongs to another user; remove it")
    }
    guard renameat(descriptor, name, refused, name) == 0 || errno == ENOENT else {
      throw Failure(reason: String(cString: strerror(errno)))
    }
  }
}
