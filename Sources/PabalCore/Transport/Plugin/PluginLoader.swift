internal import CPabalGNU
internal import Glibc

/// Finds and loads plugins by name.
public struct PluginLoader: Sendable {
  /// The directories to search; the first match wins.
  public let directories: [String]

  /// Creates a loader that searches `configured`, then `PABAL_PLUGIN_PATH` (colon-separated, ignored in a set-uid
  /// program), the directory of `pabal`, and `../lib/pabal`.
  public init(configured: [String] = []) {
    var directories = configured
    if let path = secure_getenv("PABAL_PLUGIN_PATH") {
      directories += String(cString: path).split(separator: ":").map(String.init)
    }
    directories += Installation.current?.pluginDirectories ?? []
    self.directories = directories
  }

  /// Creates a loader that searches only `directories`.
  public init(only directories: [String]) { self.directories = directories }

  /// Loads a plugin by its name, such as `file`, or by a path that contains a slash.
  public func load(_ name: String) throws(Diagnostic) -> Plugin {
    if name.contains("/") { return try Plugin(at: name) }
    guard Plugin.isValidName(name) else {
      throw Diagnostic(
        "“\(printable(name))” isn't a valid plugin name",
        remedy: "use lower-case letters, digits and hyphens, or a path with a slash in it")
    }
    for directory in directories {
      let path = "\(directory)/libpabal-\(name).so"
      guard access(path, F_OK) == 0 else { continue }
      let plugin = try Plugin(at: path)
      guard plugin.name == name else {
        throw Diagnostic(
          "the plugin calls itself “\(plugin.name)”, but its file name says “\(name)”",
          remedy: "rename the file to libpabal-\(plugin.name).so", file: plugin.path)
      }
      return plugin
    }
    let names = names()
    let suggestion =
      nearest(to: name, among: names).map { "did you mean “\($0)”?" }
      ?? (names.isEmpty
        ? nil
        : "use one of \(names.map { "“\($0)”" }.joined(separator: ", ")), add the directory of “\(name)” to"
          + " plugins.directories, or give its path")
    throw Diagnostic(
      "plugin “\(name)” not found: libpabal-\(name).so is in none of \(directories.joined(separator: ", "))",
      remedy: suggestion ?? "add its directory to plugins.directories, or give its path")
  }

  /// Returns the sorted names of all plugin files in the directories.
  public func names() -> [String] {
    var names = Set<String>()
    for directory in directories {
      guard let stream = opendir(directory) else { continue }
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let file = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard file.hasPrefix("libpabal-"), file.hasSuffix(".so") else { continue }
        let name = String(file.dropFirst("libpabal-".count).dropLast(".so".count))
        // Skip dangling links.
        if Plugin.isValidName(name), access("\(directory)/\(file)", F_OK) == 0 { names.insert(name) }
      }
    }
    return names.sorted()
  }
}
