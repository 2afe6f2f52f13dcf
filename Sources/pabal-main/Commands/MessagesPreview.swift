import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalMessages

extension Messages {
  /// `pabal messages preview`.
  struct Preview: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "preview",
      abstract: "Show every message in every language on one page, as on a phone and on a desktop.",
      discussion: """
        Shows text next to HTML, light and dark, with the example values, with long names and with the code 000000.

        Examples:
          pabal messages preview --output preview.html
          pabal messages preview --watch
        """)

    @Option(
      help: ArgumentHelp("The file to write; - for standard output.", valueName: "file"), completion: .file()
    )
    var output: String?

    @Flag(help: "Serve the page to this machine only, and reload it when files change.")
    var watch = false

    @Option(
      help: ArgumentHelp(
        "The port for --watch.", discussion: "Default: 8610, or any free port if that is in use."))
    var port: UInt16?

    @OptionGroup var common: CommonOptions

    private struct PreviewFileOutput: Encodable {
      let file: String
      let messages: [String]
      let problems: [DiagnosticOutput]

      enum CodingKeys: String, CodingKey {
        case file = "file"
        case messages = "messages"
        case problems = "problems"
      }
    }

    private struct PreviewURLOutput: Encodable {
      let url: String

      enum CodingKeys: String, CodingKey {
        case url = "url"
      }
    }

    func validate() throws {
      if watch, output != nil { throw ValidationError("--watch serves the page; leave out --output.") }
      if !watch, port != nil { throw ValidationError("--port requires --watch.") }
      if common.json, output == "-" {
        throw ValidationError("--json and --output - both write to standard output; use one of them.")
      }
    }

    func run() throws {
      let store = try CommandContext(common).messages().store
      if watch { try serve(store) } else { try write(store) }
    }

    private func write(_ store: MessageStore) throws {
      let (messages, problems) = store.preview()
      let language = Terminal.language
      let page = PreviewPage(messages, problems: problems, language: language)
      let file = output ?? "messages-preview.html"
      if file == "-" {
        Terminal.write(Array(page.html.utf8))
      } else {
        try Preview.write(Array(page.html.utf8), to: file)
        if common.json {
          try Terminal.printResult(
            json: PreviewFileOutput(
              file: file, messages: messages.map(\.name), problems: problems.map(DiagnosticOutput.init)))
        } else {
          Terminal.printResult(
            language == .korean
              ? "\(printable(file)) 파일을 썼습니다. 브라우저에서 여세요. 수정할 때마다 새로 고치려면 --watch를 쓰세요."
              : "Wrote \(printable(file)). Open it in a browser, or use --watch to reload it as you edit.")
        }
      }
      if !common.json { Terminal.printError(problems, in: language) }
      if problems.contains(where: { $0.severity == .error }) { throw ExitStatus.input.exitCode }
    }

    /// Writes the file under a temporary name and renames it, so that a browser never reads half a page.
    private static func write(_ bytes: [UInt8], to file: String) throws {
      func failure(_ number: Int32) -> CommandError {
        CommandError(
          .input, "\(printable(file)) can't be written: \(String(cString: strerror(number)))",
          remedy: "choose another file with --output")
      }
      var template = Array((file + ".XXXXXX").utf8CString)
      let descriptor = mkstemp(&template)
      guard descriptor >= 0 else { throw failure(errno) }
      let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      var rest = bytes[...]
      var problem: Int32?
      while !rest.isEmpty, problem == nil {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { problem = errno }
      }
      fchmod(descriptor, 0o644)
      close(descriptor)
      if problem == nil, rename(temporary, file) != 0 { problem = errno }
      guard let problem else { return }
      unlink(temporary)
      throw failure(problem)
    }

    private func serve(_ store: MessageStore) throws {
      let server: PreviewServer
      do throws(PreviewServer.StartError) {
        server = try PreviewServer(port: port ?? 8610, fallingBackToAnyPort: port == nil)
      } catch {
        throw CommandError(.input, error.message, remedy: error.remedy)
      }
      let language = Terminal.language
      let url = "http://127.0.0.1:\(server.port)/"
      if common.json {
        try Terminal.printResult(json: PreviewURLOutput(url: url))
      } else {
        Terminal.printResult(
          language == .korean
            ? "미리보기: \(url) (파일을 저장하면 새로 고쳐집니다. 끝내려면 Ctrl-C를 누르세요.)"
            : "Preview at \(url), reloaded as you edit. Press Ctrl-C to stop.")
      }
      var stamp: Int?
      var reported: [Diagnostic] = []
      server.run {
        let now = store.filesStamp
        guard now != stamp else { return nil }
        let isFirst = stamp == nil
        stamp = now
        let (messages, problems) = store.preview()
        if problems != reported || isFirst { Terminal.printError(problems, in: language) }
        if problems.isEmpty, !reported.isEmpty {
          Terminal.printError(
            language == .korean ? "메일 문구의 오류를 모두 수정했습니다." : "All errors in the messages are fixed.")
        }
        reported = problems
        return PreviewServer.Pages(messages, problems: problems)
      }
    }
  }
}
