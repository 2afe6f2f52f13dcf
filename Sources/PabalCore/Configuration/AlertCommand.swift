/// `serve.alert`: the command that notifies a person that mail can't be delivered.
public struct AlertCommand: Sendable {
  private let commandLine: [String]
  private let environment: [String]

  init(_ commandLine: [String], environment: [String] = []) {
    self.commandLine = commandLine
    self.environment = environment
  }

  /// Runs the command with two more arguments, the event and a detail, for at most ten seconds. Blocks.
  ///
  /// The detail of `held` is the name of the transport, that of `waiting` how many seconds the oldest code has
  /// waited. Nothing else is passed, because other users can read the arguments of a process.
  public func run(_ event: String, _ detail: String) throws(Diagnostic) {
    do throws(SecretError) {
      _ = try SecretCommand(
        commandLine: commandLine + [event, detail], environment: environment, timeout: .seconds(10),
        sizeLimit: 65_536
      ).run()
    } catch {
      throw Diagnostic(
        "the alert command failed: \(error.message)", remedy: error.remedy, path: "serve.alert")
    }
  }

  /// Reads a list of the program and its arguments, or an object with that list and the names of variables for it.
  static func read(_ value: FieldDecoder) -> AlertCommand? {
    guard case .object = value.node.content else {
      return commandLine(value).map { AlertCommand($0) }
    }
    return value.object { object in
      let commandLine = object.required(
        "command", remedy: "add the program and its arguments, like \"command\": [\"notify-send\", \"Pabal\"]"
      ).flatMap(commandLine)
      let environment = object.optional("environment").map(CommandEnvironment.names) ?? []
      guard let commandLine, let environment else { return nil }
      return AlertCommand(commandLine, environment: environment)
    }
  }

  private static func commandLine(_ value: FieldDecoder) -> [String]? {
    guard let elements = value.elements() else { return nil }
    let commandLine = elements.compactMap { $0.literalText() }
    guard commandLine.count == elements.count else { return nil }
    guard let first = commandLine.first, !first.isEmpty else {
      value.report("empty command", remedy: "write it like [\"notify-send\", \"Pabal\"]")
      return nil
    }
    return commandLine
  }
}
