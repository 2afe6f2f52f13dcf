import FoundationEssentials
import Glibc
package import PabalCore
package import PabalMessages
import Synchronization

/// Writes results to standard output and everything else to standard error.
package enum Terminal {
  /// The descriptor of results; `reserveStandardOutput` moves it.
  private static let output = Mutex<CInt>(STDOUT_FILENO)

  /// Reserves standard output for results: from now on, what a plugin prints goes to standard error, because a
  /// program that reads JSON must find nothing else there.
  package static func reserveStandardOutput() {
    output.withLock { output in
      let kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
      guard output == STDOUT_FILENO, kept >= 0 else { return }
      dup2(STDERR_FILENO, STDOUT_FILENO)
      output = kept
    }
  }

  /// Writes a result. If it can't be written completely, the exit status is 73 instead of 0.
  package static func write(_ bytes: [UInt8]) {
    let descriptor = output.withLock { $0 }
    if let failure = writeAll(bytes, to: descriptor) { outputErrno.withLock { $0 = failure } }
  }

  /// Why a result could not be written completely; `nil` if all were.
  package static var outputError: String? {
    outputErrno.withLock { $0.map { String(cString: strerror($0)) } }
  }

  private static let outputErrno = Mutex<CInt?>(nil)

  /// Writes a line to standard output.
  package static func printResult(_ text: String) { write(Array((text + "\n").utf8)) }

  /// Writes a line to standard error.
  package static func printError(_ text: String) { printError(Array((text + "\n").utf8)) }

  /// Writes complete lines to standard error.
  package static func printError(_ lines: [UInt8]) { writeAll(lines, to: STDERR_FILENO) }

  /// The language of the terminal's locale, which the commands for message authors speak.
  package static var language: InterfaceLanguage { InterfaceLanguage(environment: environmentVariable) }

  /// Writes diagnostics to standard error, one per line.
  package static func printError(_ diagnostics: [Diagnostic], in language: InterfaceLanguage = .english) {
    for diagnostic in diagnostics {
      let text = diagnostic.description(in: language)
      guard isTerminal(STDERR_FILENO) else {
        printError("pabal: \(text)")
        continue
      }
      let colour = diagnostic.severity == .error ? "31" : "33"
      let word = "\(language.word(for: diagnostic.severity)): "
      let parts = text.split(separator: word, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        printError("pabal: \(text)")
        continue
      }
      printError("pabal: \(parts[0])\u{1B}[1;\(colour)m\(word)\u{1B}[0m\(parts[1])")
    }
  }

  /// Whether results are printed on a terminal.
  static var printsOnTerminal: Bool { isatty(output.withLock { $0 }) == 1 }

  /// Whether standard output is a terminal that understands escape sequences.
  package static var isInteractive: Bool {
    isatty(STDOUT_FILENO) == 1 && environmentVariable("TERM") != "dumb"
  }

  /// Whether `progress` shows anything.
  static var showsProgress: Bool { isTerminal(STDERR_FILENO) }

  /// Shows the progress of a long run in one line that is overwritten; only on a terminal.
  package static func progress(_ text: String) {
    guard isTerminal(STDERR_FILENO) else { return }
    writeAll(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
  }

  private static func isTerminal(_ descriptor: CInt) -> Bool {
    isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
      && getenv("TERM").map { String(cString: $0) } != "dumb"
  }

  /// Writes all bytes; returns the `errno` of a failure, or `nil`.
  @discardableResult
  private static func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> CInt? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        // Another process made the shared pipe non-blocking, so wait for its reader.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
        continue
      }
      guard count > 0 else { return count < 0 ? errno : EIO }
      rest = rest.dropFirst(count)
    }
    return nil
  }
}

extension Terminal {
  /// Prints JSON results on one line each from now on, for programs that follow a log.
  package static func printJSONAsLines() { printsJSONAsLines.withLock { $0 = true } }

  private static let printsJSONAsLines = Mutex(false)

  /// Writes one JSON value, with sorted keys.
  package static func printResult(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if !printsJSONAsLines.withLock({ $0 }) { encoder.outputFormatting.insert(.prettyPrinted) }
    write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
  }
}

/// A diagnostic in the JSON of `--json`.
package struct DiagnosticOutput: Encodable {
  package let severity: String
  package let file: OrNull<String>
  package let line: OrNull<Int>
  package let column: OrNull<Int>
  package let path: OrNull<String>
  package let message: String
  package let remedy: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case severity = "severity"
    case file = "file"
    case line = "line"
    case column = "column"
    case path = "path"
    case message = "what"
    case remedy = "cure"
  }

  package init(_ diagnostic: Diagnostic) {
    severity = diagnostic.severity.rawValue
    file = OrNull(diagnostic.file)
    line = OrNull(diagnostic.position?.line)
    column = OrNull(diagnostic.position?.column)
    path = OrNull(diagnostic.path)
    message = diagnostic.message
    remedy = OrNull(diagnostic.remedy)
  }
}
