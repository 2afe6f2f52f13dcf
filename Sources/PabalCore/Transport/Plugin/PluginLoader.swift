internal import CPabalGNU
internal import Glibc

/// Finds plugins by name, in the order in which directories are looked through.
public struct PluginLoader: Sendable {
  /// Where plugins are looked for, first match first.
  public let directories: [String]

  /// Looks in `configured` directories, then in `PABAL_PLUGIN_PATH` (colons between, ignored in a set-uid
  /// program), beside `pabal`, and in `../lib/pabal`.
  public init(configured: [String] = []) {
    var directories = configured
    if let path = secure_getenv("PABAL_PLUGIN_PATH") {
      directories += String(cString: path).split(separator: ":").map(String.init)
    }
    directories += Installation.current?.pluginDirectories ?? []
    self.directories = directories
  }

  /// Looks in `directories` and nowhere else.
  public init(only directories: [String]) { self.directories = directories }

  /// Loads the plugin `name` stands for: a name such as `file`, or a path with a slash in it.
  public func load(_ name: String) throws(Diagnostic) -> Plugin {
    if name.contains("/") { return try Plugin(at: name) }
    guard Plugin.isValidName(name) else {
      throw Diagnostic(
        "“\(printable(name))” is no plugin's name: those are lower-case letters, digits and hyphens",
        remedy: "or give a path with a slash in it")
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
    let suggestion = nearest(to: name, among: names()).map { "did you mean “\($0)”?" }
    throw Diagnostic(
      "no plugin “\(name)”: libpabal-\(name).so is in none of \(directories.joined(separator: ", "))",
      remedy: suggestion ?? "name its directory under plugins.directories, or give its path")
  }

  /// The names of all plugins that lie in the directories, loaded or not, sorted.
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
        // A link that leads nowhere is nothing to offer.
        if Plugin.isValidName(name), access("\(directory)/\(file)", F_OK) == 0 { names.insert(name) }
      }
    }
    return names.sorted()
  }
}
