import ArgumentParser
import PabalCommand
import PabalCore
import PabalMessages

/// `pabal messages`: the texts of composed mail.
struct Messages: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "messages", abstract: "List, render, check and preview the messages.",
    discussion: """
      Examples:
        pabal messages list
        pabal messages render verification --language en
        pabal messages lint
        pabal messages preview --watch
      """,
    subcommands: [List.self, Render.self, Lint.self, Preview.self])
}

extension Messages {
  /// `pabal messages list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "List the messages, their languages and their variables.")

    @OptionGroup var common: CommonOptions

    private struct Entry: Encodable {
      struct Variable: Encodable {
        let name: String
        let kind: String
        let purpose: String
        let required: Bool

        enum CodingKeys: String, CodingKey {
          case name = "name"
          case kind = "kind"
          case purpose = "purpose"
          case required = "required"
        }
      }
      let name: String
      let purpose: String
      let languages: [String]
      let lane: String
      let unknown: String
      let variables: [Variable]

      enum CodingKeys: String, CodingKey {
        case name = "name"
        case purpose = "purpose"
        case languages = "languages"
        case lane = "lane"
        case unknown = "unknown"
        case variables = "variables"
      }

      init(_ message: MessageDescription) {
        name = message.name
        purpose = message.purpose
        languages = message.languages
        lane = message.lane.rawValue
        unknown = message.unknownPolicy.rawValue
        variables = message.variables.map {
          Variable(name: $0.name, kind: $0.kind.rawValue, purpose: $0.purpose, required: $0.isRequired)
        }
      }
    }

    func run() throws {
      try inTerminalLanguage(json: common.json) { try list() }
    }

    private func list() throws {
      let messages = try CommandContext(common).messages()
      var descriptions: [MessageDescription] = []
      var broken: [Diagnostic] = []
      let names: [String]
      do throws(Diagnostics) {
        names = try messages.store.names()
      } catch {
        throw CommandError(.configuration, error.all)
      }
      for name in names {
        do throws(MessageError) {
          descriptions.append(try messages.store.describe(name))
        } catch {
          if case .broken(_, let diagnostics) = error { broken += diagnostics }
        }
      }
      if common.json {
        try Terminal.printResult(json: descriptions.map(Entry.init))
      } else {
        for message in descriptions { print(message, in: Terminal.language) }
      }
      guard broken.isEmpty else { throw CommandError(.input, broken) }
    }

    private func print(_ message: MessageDescription, in language: InterfaceLanguage) {
      Terminal.printResult(
        "\(message.name) (\(message.languages.joined(separator: ", "))): \(message.purpose(in: language))")
      for variable in message.variables {
        let need = variable.isRequired ? "" : language == .korean ? ", 생략 가능" : ", optional"
        Terminal.printResult(
          "  {{\(variable.name)}} \(variable.kind.rawValue)\(need): \(variable.purpose(in: language))")
      }
    }
  }

  /// `pabal messages render`.
  struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "render", abstract: "Render a message with its example values, or with your own.")

    /// A part of a rendered message.
    enum Part: String, ExpressibleByArgument, CaseIterable {
      case subject = "subject"
      case preview = "preview"
      case text = "text"
      case html = "html"
    }

    @Argument(help: "The message.")
    var name: String

    @Option(help: ArgumentHelp("Preferred languages, separated by commas or repeated.", valueName: "tag"))
    var language: [String] = []

    @Option(
      name: .customLong("set"),
      help: ArgumentHelp("The value of a variable; repeatable.", valueName: "name=value"))
    var variables: [String] = []

    @Option(help: "Print only this part.")
    var part: Part?

    @OptionGroup var common: CommonOptions

    private struct Rendered: Encodable {
      let name: String
      let language: String
      let subject: String
      let preview: String
      let text: String
      let html: String

      enum CodingKeys: String, CodingKey {
        case name = "name"
        case language = "language"
        case subject = "subject"
        case preview = "preview"
        case text = "text"
        case html = "html"
      }
    }

    func run() throws {
      try inTerminalLanguage(json: common.json) { try render() }
    }

    private func render() throws {
      let messages = try CommandContext(common).messages()
      let messageDescription = try messages.withStore { store throws(MessageError) in try store.describe(name)
      }
      let values = messageDescription.examples.merging(try SendMailFactory.values(variables)) { $1 }
      let languages = commaSeparated(language)
      let rendered = try messages.withStore { store throws(MessageError) in
        try store.render(name, languages: languages, values: values)
      }
      let preview = try messages.withStore { store throws(MessageError) in
        try store.previewLine(name, languages: languages, values: values)
      }
      if common.json {
        try Terminal.printResult(
          json: Rendered(
            name: rendered.name, language: rendered.language, subject: rendered.subject, preview: preview,
            text: rendered.text, html: rendered.html))
        return
      }
      if MessageLanguageFallback.happened(from: languages, to: rendered.language) {
        Terminal.printError(
          MessageLanguageFallback.text(from: languages, to: rendered.language, in: Terminal.language))
      }
      switch part {
      case .subject: Terminal.printResult(rendered.subject)
      case .preview: Terminal.printResult(preview)
      case .text: Terminal.write(Array(rendered.text.utf8))
      case .html: Terminal.write(Array(rendered.html.utf8))
      case nil:
        // As an inbox shows it: the subject, then the line next to it.
        let previewLine = preview.isEmpty ? "" : "Preview: \(preview)\n"
        Terminal.printResult(
          "Subject: \(rendered.subject)\n\(previewLine)Content-Language: \(rendered.language)\n\n\(rendered.text)"
        )
        Terminal.printError(
          Terminal.language == .korean
            ? "(HTML 버전은 --part html로 볼 수 있습니다)" : "(use --part html for the HTML)")
      }
    }
  }

  /// `pabal messages lint`.
  struct Lint: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "lint", abstract: "Find mistakes in the messages, each with file, line, column and remedy."
    )

    @Argument(help: "Check only these messages.")
    var names: [String] = []

    @Flag(help: "Treat warnings as errors.")
    var strict = false

    @OptionGroup var common: CommonOptions

    func run() throws {
      let messages = try CommandContext(common).messages()
      let findings = messages.store.lint(names.isEmpty ? nil : names)
      if common.json {
        try Terminal.printResult(json: findings.map(DiagnosticOutput.init))
      } else if findings.isEmpty {
        Terminal.printResult(
          Terminal.language == .korean ? "메일 문구에 오류가 없습니다." : "No errors in the messages.")
      }
      let hasErrors = findings.contains { strict || $0.severity == .error }
      if !common.json { Terminal.printError(findings, in: Terminal.language) }
      if hasErrors { throw ExitStatus.input.exitCode }
    }
  }
}

/// Runs a command for message authors, which prints its errors in the language of the terminal.
private func inTerminalLanguage(json: Bool, _ command: () throws -> Void) throws {
  do {
    try command()
  } catch let error as CommandError where !json && Terminal.language != .english {
    Terminal.printError(error.diagnostics, in: Terminal.language)
    throw error.status.exitCode
  }
}
