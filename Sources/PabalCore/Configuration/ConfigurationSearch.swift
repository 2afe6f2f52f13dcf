internal import Glibc

/// The search for `config.json` in the directories above the working directory, as git searches for its repository.
enum ConfigurationSearch {
  /// Returns the file in the nearest directory above `directory` that has Pabal's `config.json`.
  ///
  /// The search ends at the home directory, at the edge of the file system, and at a directory that another user owns or
  /// can write. Other programs have a `config.json` as well, so one counts only if it names transports.
  static func file(
    above directory: String, home: String?, owners: (uid_t) -> Bool = TrustedOwners.contains
  ) -> String? {
    guard directory.hasPrefix("/"), var status = status(directory) else { return nil }
    let device = status.st_dev
    var current = directory
    while current != "/", current != home, status.st_dev == device, owners(status.st_uid),
      status.st_mode & S_IWOTH == 0
    {
      current = parent(of: current)
      guard let next = Self.status(current) else { return nil }
      status = next
      guard status.st_dev == device, owners(status.st_uid), status.st_mode & S_IWOTH == 0 else { return nil }
      let file = current == "/" ? "/config.json" : "\(current)/config.json"
      if let found = Self.status(file), found.st_mode & S_IFMT == S_IFREG, owners(found.st_uid),
        isPabals(file)
      {
        return file
      }
    }
    return nil
  }

  /// Returns the file above the working directory.
  static func fileAboveWorkingDirectory(home: String?) -> String? {
    guard let name = getcwd(nil, 0) else { return nil }
    defer { free(name) }
    return file(above: String(cString: name), home: home.map(withoutTrailingSlash))
  }

  private static func withoutTrailingSlash(_ path: String) -> String {
    path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  // Not parsed, because a file with a syntax error is still the one that was meant.
  private static func isPabals(_ path: String) -> Bool {
    guard let bytes = try? readFile(path, atMost: Configuration.sizeLimit) else { return false }
    return String(decoding: bytes, as: UTF8.self).contains("\"transports\"")
  }
}
