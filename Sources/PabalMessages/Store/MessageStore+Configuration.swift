internal import Glibc
public import PabalCore

extension MessageStore {
  /// The messages that `messages` in `config.json` names, with the site's variables, of which those that are
  /// secrets are fetched; blocks.
  public convenience init(
    _ configuration: Configuration,
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    guard let part = configuration.messages else {
      throw Diagnostic(
        "there are no messages", cure: "add \"messages\" with \"directory\" and \"language\"",
        file: configuration.file)
    }
    guard access(part.directory, R_OK | X_OK) == 0 else {
      throw Diagnostic(
        "the messages directory \(part.directory) can't be read: \(String(cString: strerror(errno)))",
        cure: "name another one, or make it readable", file: configuration.file, path: "messages.directory")
    }
    var variables: [String: String] = [:]
    var places: [String: SettingPlace] = [:]
    for variable in part.variables {
      variables[variable.name] = try variable.value.fetch()
      places[variable.name] = variable.value.place
    }
    self.init(
      directory: part.directory, language: part.language, variables: variables, variablePlaces: places,
      onChange: onChange)
  }
}
