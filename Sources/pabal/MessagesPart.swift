import Glibc
import PabalCore
import PabalMessages

/// The messages that `config.json` names, with its variables fetched.
struct MessagesPart: Sendable {
  /// The store of the messages.
  let store: MessageStore

  /// What the store answers; what it refuses becomes the command's failure.
  func asked<Answer>(_ question: (MessageStore) throws(MessageError) -> Answer) throws(Failure) -> Answer {
    do throws(MessageError) {
      return try question(store)
    } catch {
      if case .broken(_, let diagnostics) = error { throw Failure(.input, diagnostics) }
      throw Failure(.input, error.description)
    }
  }
}

extension Assembly {
  /// The messages, with the site's variables; fetches those that are secrets.
  func messages(
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Failure) -> MessagesPart {
    guard let part = configuration.messages else {
      throw Failure(
        .configuration,
        [
          Diagnostic(
            "there are no messages", cure: "add \"messages\" with \"directory\" and \"language\"",
            file: configuration.file)
        ])
    }
    guard access(part.directory, R_OK | X_OK) == 0 else {
      throw Failure(
        .configuration,
        [
          Diagnostic(
            "the messages directory \(part.directory) can't be read: \(String(cString: strerror(errno)))",
            cure: "name another one, or make it readable", file: configuration.file,
            path: "messages.directory")
        ])
    }
    var variables: [String: String] = [:]
    var places: [String: SettingPlace] = [:]
    do throws(Diagnostic) {
      for variable in part.variables {
        variables[variable.name] = try variable.value.fetch()
        places[variable.name] = variable.value.place
      }
    } catch {
      throw Failure(.configuration, [error])
    }
    return MessagesPart(
      store: MessageStore(
        directory: part.directory, language: part.language, variables: variables, variablePlaces: places,
        onChange: onChange))
  }
}
