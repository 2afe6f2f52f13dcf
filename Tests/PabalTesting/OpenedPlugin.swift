import Foundation
public import PabalCore

/// Opens a plugin with settings, past `config.json`.
public enum TestPlugin {
  /// The plugin at `path`, opened under its own name; settings are as a configuration would have them.
  public static func open(
    _ path: String, _ settings: [String: JSONNode.Value] = [:],
    accounts: [String: any AccessTokenSource] = [:],
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws -> LoadedTransport {
    let plugin = try Plugin(at: path)
    let start = SourcePosition(line: 1, column: 1)
    let members = settings.sorted { $0.key < $1.key }.map {
      JSONNode.Member(key: $0.key, keyPosition: start, node: JSONNode($0.value, at: start))
    }
    var problems: [Diagnostic] = []
    let checked = checkedSettings(
      JSONNode(.object(members), at: start), declared: plugin.settings, path: plugin.name,
      accounts: accounts.keys.sorted(), file: nil, directory: FileManager.default.currentDirectoryPath,
      secrets: .process, diagnostics: &problems)
    guard let checked else { throw Diagnostics(problems) }
    return try LoadedTransport(plugin, name: plugin.name, settings: checked, accounts: accounts, log: log)
  }
}

extension String {
  /// Whether there is a file of this path.
  public var exists: Bool { FileManager.default.fileExists(atPath: self) }
}
