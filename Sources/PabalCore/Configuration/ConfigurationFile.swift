internal import Glibc

/// A configuration file that only trusted users can change, as it was read.
///
/// It names commands, plugins, and where passwords are sent, so a user who can write it acts as the user of this process.
package struct ConfigurationFile: Sendable {
  /// The file, as the user named it.
  package let path: String
  /// The absolute directory that relative paths start from.
  package let directory: String
  /// The content.
  package let bytes: [UInt8]
  /// Whether every user of the machine can read it.
  let isReadableByOthers: Bool
  /// Warnings for the operator; they don't prevent its use.
  package let warnings: [Diagnostic]

  /// Reads the file at `path`. Blocks. Throws if it can't be read, or if others can change or replace it.
  package init(_ path: String) throws(Diagnostic) {
    try self.init(path, owners: TrustedOwners.contains)
  }

  /// Reads a file that only root can change or replace.
  ///
  /// For programs whose arguments others may choose: a configuration decides which commands are run.
  package init(ownedByRoot path: String) throws(Diagnostic) {
    try self.init(path, allowsPrivateGroups: false) { $0 == 0 }
  }

  init(_ path: String, allowsPrivateGroups: Bool = true, owners: @escaping (uid_t) -> Bool) throws(Diagnostic)
  {
    self.path = path
    let absolute = Self.absolutePath(path)
    let parent = absolute[..<(absolute.lastIndex(of: "/") ?? absolute.startIndex)]
    directory = parent.isEmpty ? "/" : String(parent)
    var identity: FileIdentity?
    var mode: UInt32 = 0
    do throws(FileError) {
      bytes = try readFile(path, atMost: Configuration.sizeLimit) { (attributes) throws(FileError) in
        (identity, mode) = (attributes.identity, attributes.mode)
      }
    } catch {
      throw error.diagnostic
    }
    isReadableByOthers = mode & 0o004 != 0
    let examined: TrustedPath
    do throws(TrustedPath.Problem) {
      examined = try TrustedPath(absolute, allowsPrivateGroups: allowsPrivateGroups, owners: owners)
    } catch {
      throw Self.diagnostic(error, path, isFile: Self.isFile(error.path, identity))
    }
    guard examined.identity == identity else {
      throw Diagnostic("the file was replaced while it was read", remedy: "try again", file: path)
    }
    warnings = examined.writableByPrivateGroup.map { entry in
      let isFile = entry.path == examined.real
      return Diagnostic(
        "\(isFile ? "this file" : "the directory of this file") is group-writable, so group \(entry.group) can change what pabal runs",
        remedy: "chmod g-w \(shellQuoted(entry.path))", file: path, severity: .warning)
    }
  }

  /// Returns `path` if it is absolute, or else from the working directory.
  private static func absolutePath(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    let directory = getcwd(nil, 0).map { name in
      defer { free(name) }
      return String(cString: name)
    }
    return "\(directory ?? "")/\(path.hasPrefix("./") ? path.dropFirst(2) : path[...])"
  }

  private static func isFile(_ path: String, _ identity: FileIdentity?) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && FileIdentity(status) == identity
  }

  private static func diagnostic(
    _ problem: TrustedPath.Problem, _ path: String, isFile: Bool
  ) -> Diagnostic {
    let place = shellQuoted(problem.path)
    let what = isFile ? "change this file" : "replace this file through \(problem.path)"
    let (cause, remedy): (String, String)
    switch problem.reason {
    case .worldWritable:
      cause = "anyone can \(what), which decides what pabal runs: it is world-writable"
      remedy = "chmod o-w \(place)"
    case .groupWritable(let group):
      cause = "group \(group) can \(what), which decides what pabal runs: it is group-writable"
      remedy = "chmod g-w \(place)"
    case .owner(let user):
      cause =
        "user \(user) can \(what), which decides what pabal runs: \(isFile ? "its owner" : "the owner") isn't root, you or the owner of pabal"
      let name = geteuid() == 0 ? "root" : "\"$(id -un)\""
      remedy = "\(geteuid() == 0 ? "" : "sudo ")chown \(name) \(place), or run pabal as user \(user)"
    case .error(let number):
      cause = "can't be examined: \(String(cString: strerror(number)))"
      remedy = "see whether \(problem.path) exists"
    }
    return Diagnostic(cause, remedy: remedy, file: path)
  }
}
