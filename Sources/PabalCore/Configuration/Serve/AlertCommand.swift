/// A command that tells somebody that mail has stopped leaving.
public struct AlertCommand: Sendable {
  private let words: [String]

  init(_ words: [String]) { self.words = words }

  /// Runs it with the event's name and one word about it behind its own words, for ten seconds at most; blocks.
  ///
  /// `held` comes with the transport's name, `waiting` with the seconds that the oldest code has waited. Other
  /// users can read the words of a process, so nothing else is among them.
  public func run(_ event: String, _ detail: String) throws(Diagnostic) {
    do throws(SecretProblem) {
      _ = try SecretCommand(words: words + [event, detail], timeout: .seconds(10), sizeLimit: 65_536).run()
    } catch {
      throw Diagnostic("the alert could not be given: \(error.what)", cure: error.cure, path: "serve.alert")
    }
  }

  static func read(_ value: ConfigurationValue) -> AlertCommand? {
    guard let elements = value.elements() else { return nil }
    let words = elements.compactMap { $0.text() }
    guard words.count == elements.count else { return nil }
    guard let first = words.first, !first.isEmpty else {
      value.complain("the command has no words", cure: "write it as in [\"notify-send\", \"Pabal\"]")
      return nil
    }
    return AlertCommand(words)
  }
}
