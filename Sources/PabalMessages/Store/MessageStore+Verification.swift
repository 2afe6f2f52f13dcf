public import PabalCore

extension MessageStore {
  /// Returns why no mail of the message `name` can be rendered in the default language, whatever the values; an empty list
  /// if one can.
  ///
  /// - Parameter hasCode: Whether the message is to contain a code, as for a verification, or none, as for a notice.
  public func problems(ofMessage name: String, hasCode: Bool) -> [Diagnostic] {
    do throws(MessageError) {
      let description = try describe(name)
      guard description.variables.contains(where: { $0.kind == .code }) == hasCode else {
        let problem =
          hasCode
          ? "the message \(name.displayName) has no code, so it can't verify an address"
          : "the message \(name.displayName) contains a code, but a notice has none"
        return [Diagnostic(problem, remedy: "name another message in \"verification\"")]
      }
      _ = try render(name, languages: [language], values: description.examples)
      return []
    } catch {
      let errors = error.diagnostics.filter { $0.severity == .error }
      return errors.isEmpty ? [Diagnostic(error.description)] : errors
    }
  }

  /// Returns the errors because of which languages of the message `name` can't be rendered, while others can.
  public func languageProblems(ofMessage name: String) -> [Diagnostic] {
    guard let languages = (try? describe(name))?.languages.map({ $0.lowercased() }) else { return [] }
    return errors(of: name).filter { problem in
      guard let file = problem.file?.split(separator: "/").last, file.hasSuffix(".md") else { return false }
      return !languages.contains(file.dropLast(3).lowercased())
    }
  }

  /// Whether there is a folder for the message `name`, whatever is in it.
  public func hasMessage(_ name: String) -> Bool { directory.hasMessage(name) }

  /// Reads all messages, so that the errors in them are reported now and not when they are first used.
  public func loadAll() {
    for name in (try? names()) ?? [] { _ = try? describe(name) }
  }
}
