import FoundationEssentials
import Glibc
package import PabalCore
import Synchronization

/// Where the command's own words go: answers to standard output, everything else to standard error.
package enum Terminal {
  /// The descriptor answers are written to; `reserveStandardOutput` moves it.
  private static let output = Mutex<CInt>(STDOUT_FILENO)

  /// From now on only the command's answers reach standard output; what a plugin prints goes to standard
  /// error. A program that reads JSON must find nothing else there.
  package static func reserveStandardOutput() {
    output.withLock { output in
      let kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
      guard output == STDOUT_FILENO, kept >= 0 else { return }
      dup2(STDERR_FILENO, STDOUT_FILENO)
      output = kept
    }
  }

  /// Writes an answer; when it can't be written whole, the command ends with another status than 0.
  package static func write(_ bytes: [UInt8]) {
    let descriptor = output.withLock { $0 }
    if let failure = writeAll(bytes, to: descriptor) { outputErrno.withLock { $0 = failure } }
  }

  /// Why an answer did not reach standard output whole; `nil` when all did.
  package static var outputError: String? {
    outputErrno.withLock { $0.map { String(cString: strerror($0)) } }
  }

  private static let outputErrno = Mutex<CInt?>(nil)

  /// Writes an answer line.
  package static func printResult(_ text: String) { write(Array((text + "\n").utf8)) }

  /// Writes a line for the person at the terminal.
  package static func printError(_ text: String) { printError(Array((text + "\n").utf8)) }

  /// Writes whole lines for the person at the terminal.
  package static func printError(_ lines: [UInt8]) { writeAll(lines, to: STDERR_FILENO) }

  /// Tells what is wrong, a line each.
  package static func printError(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics {
      let text = diagnostic.description
      guard isTerminal(STDERR_FILENO) else {
        printError("pabal: \(text)")
        continue
      }
      let colour = diagnostic.severity == .error ? "31" : "33"
      let word = "\(diagnostic.severity.rawValue): "
      let parts = text.split(separator: word, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else {
        printError("pabal: \(text)")
        continue
      }
      printError("pabal: \(parts[0])\u{1B}[1;\(colour)m\(word)\u{1B}[0m\(parts[1])")
    }
  }

  /// Whether a person looks at the answers.
  package static var isInteractive: Bool {
    isatty(STDOUT_FILENO) == 1 && environmentVariable("TERM") != "dumb"
  }

  /// Whether `progress` shows anything.
  static var showsProgress: Bool { isTerminal(STDERR_FILENO) }

  /// Shows how far a long run is, on a terminal only; each line takes the place of the last.
  static func progress(_ text: String) {
    guard isTerminal(STDERR_FILENO) else { return }
    writeAll(Array("\r\u{1B}[K\(text)".utf8), to: STDERR_FILENO)
  }

  private static func isTerminal(_ descriptor: CInt) -> Bool {
    isatty(descriptor) == 1 && getenv("NO_COLOR") == nil
      && getenv("TERM").map { String(cString: $0) } != "dumb"
  }

  /// The errno of what could not be written; `nil` when all was.
  @discardableResult
  private static func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> CInt? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        // Somebody else made the pipe non-blocking; its reader comes when it comes.
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
  /// From now on each answer for a program is one line, as whoever follows a log reads.
  package static func printJSONAsLines() { printsJSONAsLines.withLock { $0 = true } }

  private static let printsJSONAsLines = Mutex(false)

  /// Writes an answer for a program: one JSON value, keys sorted.
  package static func printResult(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if !printsJSONAsLines.withLock({ $0 }) { encoder.outputFormatting.insert(.prettyPrinted) }
    write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
  }
}

/// A diagnostic as a program reads it.
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
