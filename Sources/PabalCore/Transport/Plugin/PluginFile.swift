internal import Glibc

/// A plugin's file, resolved and checked to be safe to load.
struct PluginFile {
  /// The real path of the file.
  let path: String
  /// Warnings for the operator; they don't prevent loading.
  let warnings: [Diagnostic]

  /// Resolves `path` and rejects a file or directory that an untrusted user could have written.
  ///
  /// Trusted owners are root, the running user and the owner of the program. A parent directory may be world-writable
  /// only if its sticky bit prevents others from renaming its entries.
  init(_ path: String) throws(Diagnostic) {
    guard let resolved = realpath(path, nil) else {
      let reason = String(cString: strerror(errno))
      throw Diagnostic("the plugin can't be opened: \(reason)", file: path)
    }
    defer { free(resolved) }
    let real = String(cString: resolved)
    var warnings: [Diagnostic] = []
    let file = try Self.status(real)
    guard file.st_mode & S_IFMT == S_IFREG else {
      throw Diagnostic("the plugin is not a file", remedy: "name the .so file itself", file: real)
    }
    try Self.checkPermissions(real, file, "plugin", &warnings)
    let directory = Self.parent(of: real)
    try Self.checkPermissions(directory, try Self.status(directory), "plugin's directory", &warnings)
    var ancestor = directory
    while ancestor != "/" {
      ancestor = Self.parent(of: ancestor)
      let status = try Self.status(ancestor)
      if status.st_mode & S_IWOTH != 0, status.st_mode & S_ISVTX == 0 {
        throw Diagnostic(
          "the plugin was refused because anyone can replace it: \(ancestor) is world-writable",
          remedy: "chmod o-w \(ancestor)", file: real)
      }
    }
    self.path = real
    self.warnings = warnings
  }

  private static func checkPermissions(
    _ path: String, _ status: stat, _ noun: String, _ warnings: inout [Diagnostic]
  ) throws(Diagnostic) {
    guard status.st_mode & S_IWOTH == 0 else {
      throw Diagnostic(
        "the \(noun) was refused because anyone can change it: it is world-writable",
        remedy: "chmod o-w \(path)",
        file: path)
    }
    guard status.st_uid == 0 || status.st_uid == geteuid() || status.st_uid == programOwner else {
      throw Diagnostic(
        "the \(noun) was refused because its owner is user \(status.st_uid), not root, you or the owner of pabal",
        remedy: "chown root \(path)", file: path)
    }
    if status.st_mode & S_IWGRP != 0 {
      warnings.append(
        Diagnostic(
          "the \(noun) is group-writable, so group \(status.st_gid) can change what pabal runs",
          remedy: "chmod g-w \(path)", file: path, severity: .warning))
    }
  }

  private static func status(_ path: String) throws(Diagnostic) -> stat {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw Diagnostic("the plugin can't be examined: \(String(cString: strerror(errno)))", file: path)
    }
    return status
  }

  private static let programOwner: uid_t? = {
    var status = stat()
    return stat("/proc/self/exe", &status) == 0 ? status.st_uid : nil
  }()

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }
}
