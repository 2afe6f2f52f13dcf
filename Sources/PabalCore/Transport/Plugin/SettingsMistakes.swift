internal import PabalFormats

extension Configuration {
  /// Returns the mistakes in the settings that plugins declare, for a file that has other mistakes. Loads the plugins.
  ///
  /// A valid configuration has them checked when its transports are loaded, `checked(_:loader:)`.
  package static func settingsMistakes(in file: ConfigurationFile) -> [Diagnostic] {
    // Its own mistakes were reported when the configuration was read.
    let collector = DiagnosticCollector(subject: .file(file.path), directory: file.directory)
    let found = collector.decode(file.bytes) { root in
      let plugins = root.optional("plugins").flatMap(PluginsConfiguration.read) ?? PluginsConfiguration()
      let transports = root.optional("transports")?.namedMembers() ?? []
      return (
        PluginLoader(configured: plugins.directories),
        transports.compactMap { name, value in
          value.object { object in TransportConfiguration(name, object) }
        }, root.optional("accounts")?.namedMembers()?.map(\.name) ?? []
      )
    }
    guard let (loader, transports, accounts) = found else { return [] }
    var mistakes: [Diagnostic] = []
    for transport in transports {
      do throws(Diagnostic) {
        let plugin = try loader.load(transport.plugin)
        _ = checkedSettings(
          transport.settingsValue, declared: plugin.settings, path: transport.location.path,
          accounts: accounts, file: file.path, directory: file.directory, secrets: .process,
          diagnostics: &mistakes)
      } catch {
        mistakes.append(transport.locating(error))
      }
    }
    return mistakes
  }
}

extension TransportConfiguration {
  /// Its settings as a value with the position of the entry.
  var settingsValue: JSONValue {
    JSONValue(.object(settings), at: location.position ?? SourcePosition(line: 1, column: 1))
  }

  /// Returns an error about its plugin at the place of its `plugin`.
  func locating(_ problem: Diagnostic) -> Diagnostic {
    var problem = problem
    problem.path = problem.path ?? pluginLocation.path
    if problem.file == nil {
      problem.file = pluginLocation.file
      problem.position = pluginLocation.position
    }
    return problem
  }
}

extension Diagnostics {
  /// Returns both lists without duplicates, in the order of their positions.
  package func merged(with more: [Diagnostic]) -> Diagnostics {
    let new = more.filter { !all.contains($0) }
    guard !new.isEmpty else { return self }
    let sorted = (all + new).enumerated().sorted { a, b in
      let start = SourcePosition(line: 0, column: 0)
      return (a.element.position ?? start, a.offset) < (b.element.position ?? start, b.offset)
    }
    return Diagnostics(sorted.map(\.element))
  }
}
