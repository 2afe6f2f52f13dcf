internal import Glibc

/// A file that decides what this process runs, after the examination of who could change or replace it.
///
/// Only trusted users may: root, the user of the process, and those who could replace the program itself. Every folder
/// and every symbolic link on the way is examined, because renaming one puts another file in its place. A folder that
/// anyone may write is harmless if its sticky bit keeps them from renaming what belongs to others.
struct TrustedPath {
  /// The path without symbolic links.
  let real: String
  /// The identity of the file.
  let identity: FileIdentity
  /// The group that may write the file or its folder, and which of them, where that group is the private one of a
  /// trusted user, as with umask 002.
  let writableByPrivateGroup: [(path: String, group: gid_t)]

  /// Why a file isn't trusted.
  struct Problem: Error, Equatable {
    /// The reasons.
    enum Reason: Equatable {
      case worldWritable
      case groupWritable(gid_t)
      case owner(uid_t)
      case error(Int32)
    }

    let reason: Reason
    /// The file, folder or link at fault.
    let path: String
  }

  /// Examines the file or folder at the absolute `path`.
  ///
  /// - Parameters:
  ///   - allowsStickyFolder: Whether the folder of the file itself may be world-writable with a sticky bit.
  ///   - allowsPrivateGroups: Whether the private group of a trusted user may write.
  ///   - owners: Decides whether an owner is trusted.
  init(
    _ path: String, allowsStickyFolder: Bool = true, allowsPrivateGroups: Bool = true,
    owners: @escaping (uid_t) -> Bool = TrustedOwners.contains
  ) throws(Problem) {
    var walk = Walk(owners: owners, allowsPrivateGroups: allowsPrivateGroups)
    var rest = path.split(separator: "/").map(String.init)
    rest.reverse()
    var links = 0
    while let name = rest.popLast() {
      guard name != "." else { continue }
      guard name != ".." else {
        walk.leave()
        continue
      }
      let child = walk.path(of: name)
      let status = try Self.status(child)
      guard status.st_mode & S_IFMT == S_IFLNK else {
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        let isLast = rest.allSatisfy { $0 == "." }
        try walk.examine(child, status)
        if isLast {
          if !isFolder, !allowsStickyFolder { try walk.rejectStickyFolder() }
          (real, identity) = (child, FileIdentity(status))
          writableByPrivateGroup = walk.privateGroups(child)
          return
        }
        guard isFolder else { throw Problem(reason: .error(ENOTDIR), path: child) }
        walk.enter(child, status)
        continue
      }
      links += 1
      guard links <= 40 else { throw Problem(reason: .error(ELOOP), path: child) }
      if walk.isSticky, !owners(status.st_uid) {
        throw Problem(reason: .owner(status.st_uid), path: child)
      }
      let target = try Self.target(of: child)
      // A descriptor of a process, as in /dev/fd/63: the link's text isn't a path that could be followed.
      if walk.isProcess, rest.isEmpty {
        var status = stat()
        guard stat(child, &status) == 0 else { throw Problem(reason: .error(errno), path: child) }
        guard owners(status.st_uid) else { throw Problem(reason: .owner(status.st_uid), path: child) }
        (real, identity) = (child, FileIdentity(status))
        writableByPrivateGroup = []
        return
      }
      if target.hasPrefix("/") { walk.restart() }
      rest += target.split(separator: "/").reversed().map(String.init)
    }
    // The path is a folder that ".." or the root led to.
    real = walk.current
    identity = FileIdentity(try Self.status(walk.current))
    writableByPrivateGroup = walk.privateGroups()
  }

  private static func status(_ path: String) throws(Problem) -> stat {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw Problem(reason: .error(errno), path: path) }
    return status
  }

  private static func target(of link: String) throws(Problem) -> String {
    guard let target = linkTarget(link) else { throw Problem(reason: .error(EINVAL), path: link) }
    return target
  }
}

/// Returns the text of a symbolic link; `nil` if `path` isn't one, or its text isn't UTF-8.
func linkTarget(_ path: String) -> String? {
  var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
  let count = readlink(path, &buffer, buffer.count - 1)
  return count > 0 ? String(validating: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}

/// What distinguishes a file from another one of the same name.
struct FileIdentity: Sendable, Hashable {
  private let device: UInt
  private let inode: UInt

  init(_ status: stat) {
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
  }
}

/// The folders on the way to a file, and what was found about them.
private struct Walk {
  let owners: (uid_t) -> Bool
  let allowsPrivateGroups: Bool
  /// The folder that was reached, without symbolic links.
  private(set) var current = "/"
  private var modes: [mode_t] = []
  private var groupWritable: [(path: String, group: gid_t)] = []

  init(owners: @escaping (uid_t) -> Bool, allowsPrivateGroups: Bool) {
    (self.owners, self.allowsPrivateGroups) = (owners, allowsPrivateGroups)
  }

  var isSticky: Bool { (modes.last ?? 0) & S_ISVTX != 0 && (modes.last ?? 0) & (S_IWOTH | S_IWGRP) != 0 }
  var isProcess: Bool { current.hasPrefix("/proc/") }

  func path(of name: String) -> String { current == "/" ? "/\(name)" : "\(current)/\(name)" }

  mutating func enter(_ folder: String, _ status: stat) {
    current = folder
    modes.append(status.st_mode)
  }

  mutating func leave() {
    guard let slash = current.lastIndex(of: "/"), slash != current.startIndex else { return restart() }
    current = String(current[..<slash])
    modes.removeLast()
  }

  mutating func restart() {
    current = "/"
    modes = []
  }

  /// Throws if another user may change the file, or what is in the folder.
  mutating func examine(_ path: String, _ status: stat) throws(TrustedPath.Problem) {
    guard owners(status.st_uid) else {
      throw TrustedPath.Problem(reason: .owner(status.st_uid), path: path)
    }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    if isFolder, status.st_mode & S_ISVTX != 0 { return }
    guard status.st_mode & (S_IWGRP | S_IWOTH) != 0, !Self.isReadOnly(path) else { return }
    guard status.st_mode & S_IWOTH == 0 else {
      throw TrustedPath.Problem(reason: .worldWritable, path: path)
    }
    guard allowsPrivateGroups, PrivateGroup.contains(status.st_gid, owner: status.st_uid) else {
      throw TrustedPath.Problem(reason: .groupWritable(status.st_gid), path: path)
    }
    groupWritable.append((path, status.st_gid))
  }

  func rejectStickyFolder() throws(TrustedPath.Problem) {
    guard isSticky else { return }
    throw TrustedPath.Problem(reason: .worldWritable, path: current)
  }

  /// Returns the findings about `file` and its folder, not about those above.
  func privateGroups(_ file: String = "") -> [(path: String, group: gid_t)] {
    groupWritable.filter { $0.path == file || $0.path == current }
  }

  // The volumes of Kubernetes have mode 777, but are mounted read-only.
  private static func isReadOnly(_ path: String) -> Bool {
    var status = statvfs()
    return statvfs(path, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
  }
}

/// The users who may decide what this process runs.
enum TrustedOwners {
  /// Whether `owner` is root, the user of the process, or a user who could replace the program itself.
  static func contains(_ owner: uid_t) -> Bool {
    owner == 0 || owner == geteuid() || programOwners.contains(owner)
  }

  /// The owners of the program and of the folders above it.
  private static let programOwners: Set<uid_t> = {
    guard let program = realpath("/proc/self/exe", nil) else { return [] }
    defer { free(program) }
    var path = String(cString: program)
    var owners: Set<uid_t> = []
    while true {
      var status = stat()
      if stat(path, &status) == 0 { owners.insert(status.st_uid) }
      guard path != "/", let slash = path.lastIndex(of: "/") else { return owners }
      path = slash == path.startIndex ? "/" : String(path[..<slash])
    }
  }()
}

/// Groups that give no other user access.
enum PrivateGroup {
  /// Whether only `owner`, root and the user of the process are in the group: it was created with such a user, or it is
  /// a group of the system without members, such as `staff`.
  static func contains(_ group: gid_t, owner: uid_t) -> Bool {
    let trusted = [owner, 0, geteuid()]
    let names = trusted.compactMap { user in getpwuid(user).map { String(cString: $0.pointee.pw_name) } }
    guard let entry = getgrgid(group) else { return trusted.contains(group) }
    let name = String(cString: entry.pointee.gr_name)
    var member = entry.pointee.gr_mem
    while let text = member?.pointee {
      guard names.contains(String(cString: text)) else { return false }
      member = member?.successor()
    }
    if trusted.contains(group) || names.contains(name) { return true }
    // The user of a service, such as www-data, isn't listed as a member of the group that was created with it. On some
    // systems "users" is the group of every person.
    return group < 1_000 && name != "users" && getpwnam(name) == nil
      && getpwuid(group)?.pointee.pw_gid != group
  }
}
