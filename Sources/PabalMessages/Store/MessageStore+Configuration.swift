internal import Glibc
public import PabalCore

extension MessageStore {
  /// The messages that `messages` in `config.json` names, with the site's variables, of which those that are
  /// secrets are fetched; blocks.
  public convenience init(
    _ configuration: Configuration,
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    guard let section = configuration.messages else {
      throw Diagnostic(
        "there are no messages", remedy: "add \"messages\" with \"directory\" and \"language\"",
        file: configuration.file)
    }
    guard access(section.directory, R_OK | X_OK) == 0 else {
      throw Diagnostic(
        "the messages directory \(section.directory) can't be read: \(String(cString: strerror(errno)))",
        remedy: "name another one, or make it readable", file: configuration.file, path: "messages.directory")
    }
    var variables: [String: String] = [:]
    var locations: [String: SettingLocation] = [:]
    for variable in section.variables {
      variables[variable.name] = try variable.value.fetch()
      locations[variable.name] = variable.value.location
    }
    self.init(
      directory: section.directory, language: section.language, variables: variables, variableLocations: locations,
      onChange: onChange)
  }
}
