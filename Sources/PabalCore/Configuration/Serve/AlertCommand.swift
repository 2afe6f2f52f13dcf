/// A command that tells somebody that mail has stopped leaving.
public struct AlertCommand: Sendable {
  private let commandLine: [String]

  init(_ commandLine: [String]) { self.commandLine = commandLine }

  /// Runs it with the event's name and one word about it behind its own words, for ten seconds at most; blocks.
  ///
  /// `held` comes with the transport's name, `waiting` with the seconds that the oldest code has waited. Other
  /// users can read the words of a process, so nothing else is among them.
  public func run(_ event: String, _ detail: String) throws(Diagnostic) {
    do throws(SecretError) {
      _ = try SecretCommand(commandLine: commandLine + [event, detail], timeout: .seconds(10), sizeLimit: 65_536).run()
    } catch {
      throw Diagnostic("the alert could not be given: \(error.message)", remedy: error.remedy, path: "serve.alert")
    }
  }

  static func read(_ value: FieldDecoder) -> AlertCommand? {
    guard let elements = value.elements() else { return nil }
    let commandLine = elements.compactMap { $0.text() }
    guard commandLine.count == elements.count else { return nil }
    guard let first = commandLine.first, !first.isEmpty else {
      value.report("the command has no words", remedy: "write it as in [\"notify-send\", \"Pabal\"]")
      return nil
    }
    return AlertCommand(commandLine)
  }
}
