import Dispatch
import FoundationEssentials
import PabalCommand
import PabalCore
import PabalHTTP
import Synchronization

/// The log of `pabal serve`: a line for each event, without addresses, codes, subjects and tokens.
struct ServeLog: Sendable {
  private let asJSON: Bool
  private let writer: LogWriter

  init(asJSON: Bool) {
    self.asJSON = asJSON
    writer = LogWriter { line in
      if asJSON { Terminal.write(line) } else { Terminal.printError(line) }
    } lost: { count in
      ServeLog.line("log", [("lost", "\(count)")], asJSON: asJSON)
    }
  }

  /// Returns when everything is written, or when whoever reads it stands still.
  func finish() { writer.finish() }

  /// Writes an event of the command's own.
  func write(_ event: String, _ fields: (String, String)...) { write(event, fields) }

  /// Writes what is wrong with a file, without what it says there.
  func report(_ event: String, _ diagnostic: Diagnostic, _ more: [(String, String)] = []) {
    var fields = more
    if let position = diagnostic.position {
      fields += [("line", "\(position.line)"), ("column", "\(position.column)")]
    }
    if let path = diagnostic.path { fields.append(("path", path)) }
    fields.append(("problem", diagnostic.redactedMessage))
    write(event, fields)
  }

  /// Writes that a message was read again.
  func report(message name: String, _ diagnostics: [Diagnostic]) {
    let errors = diagnostics.filter { $0.severity == .error }
    write("message", ("message", name), ("errors", "\(errors.count)"))
    for error in errors { report("message failed", error, [("message", name)]) }
  }

  /// Writes what a transport has to say.
  func report(_ transport: String, _ level: LogLevel, _ line: String) {
    write("transport", ("transport", transport), ("level", level.rawValue), ("problem", line))
  }

  /// Writes an event of the HTTP service's.
  func write(_ event: HTTPEvent) {
    switch event {
    case .answered(let route, let method, let status, let client, let took):
      var fields = [
        ("method", method), ("route", route), ("status", "\(status)"), ("ms", milliseconds(took)),
      ]
      if let client { fields.append(("client", client)) }
      write("request", fields)
    // Whether it was a notice is for nobody to read.
    case .started(let purpose, let language, _): write("started", verificationFields(purpose, language))
    case .resent(let purpose, let language): write("resent", verificationFields(purpose, language))
    case .checked(let outcome, let purpose, let language, _):
      write("checked", [("outcome", outcome.rawValue)] + verificationFields(purpose, language))
    case .limited(let limit): write("limited", ("limit", limit.rawValue))
    case .failed(let problem): write("refused", ("problem", problem))
    }
  }

  private func verificationFields(_ purpose: String, _ language: String?) -> [(String, String)] {
    [("purpose", purpose)] + (language.map { [("language", $0)] } ?? [])
  }

  private func milliseconds(_ took: Duration) -> String { "\((took.seconds * 10_000).rounded() / 10)" }

  /// Writes an event of the dispatcher's.
  func write(_ event: DispatcherEvent) {
    switch event {
    case .attempted(let id, let transport, let outcome, let status, let took):
      var fields = [
        ("mail", id), ("transport", transport), ("outcome", outcome.name), ("ms", milliseconds(took)),
      ]
      if let status { fields.append(("status", status)) }
      write("attempt", fields)
    // A pace that is kept is no trouble, and meets mail after mail.
    case .paced: break
    case .settled(let entry):
      var fields = [("mail", entry.id), ("state", entry.state.rawValue), ("attempts", "\(entry.attempts)")]
      if entry.state == .waiting { fields.append(("due", entry.due.text)) }
      write("settled", fields)
    case .held(let transport, _):
      // The cause is the far side's text; `pabal check` shows it.
      write("held", [("transport", transport)])
    case .restored(let transport): write("restored", [("transport", transport)])
    case .expedited(let count): write("hastened", [("mails", "\(count)")])
    case .codesDelayed(let since): write("codes wait", [("since", since.text)])
    case .lost(let id): write("lost", [("mail", id)])
    case .unreadable(let id): write("unreadable", [("mail", id)])
    case .unsettled(let id, let problem):
      write("unsettled", [("mail", id), ("problem", problem.description)])
    case .storage(let problem): write("storage", [("problem", problem.description)])
    }
  }

  private func write(_ event: String, _ fields: [(String, String)]) {
    writer.write(ServeLog.line(event, fields, asJSON: asJSON))
  }

  private static func line(_ event: String, _ fields: [(String, String)], asJSON: Bool) -> [UInt8] {
    let time = Timestamp.now().text
    let fields = fields.map { ($0.0, LogText.redacted($0.1)) }
    guard asJSON else {
      let words = fields.map { "\($0)=\(LogText.quoted($1))" }
      return Array("\(([time, event] + words).joined(separator: " "))\n".utf8)
    }
    var object = Dictionary(fields) { first, _ in first }
    object["time"] = time
    object["event"] = event
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array((try? encoder.encode(object)) ?? Data()) + [UInt8(ascii: "\n")]
  }
}

/// Text of others as a line of the log has it.
enum LogText {
  /// What stands for an address.
  static let address = "(address)"

  /// The text without addresses and control characters.
  ///
  /// What a server, a plugin or a file says may name anybody; whoever needs it asks `pabal outbox show` or `check`.
  static func redacted(_ text: String) -> String {
    guard text.contains("@") else { return printable(text) }
    var shown = ""
    var word = ""
    func flush() {
      shown += word.contains("@") ? address : word
      word = ""
    }
    for character in printable(text) {
      if character.isWhitespace || "<>()[],;:\"'“”".contains(character) {
        flush()
        shown.append(character)
      } else {
        word.append(character)
      }
    }
    flush()
    return shown
  }

  /// The text as a field's value: between quotes where it would not be one word.
  static func quoted(_ text: String) -> String {
    let isWord = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }
    guard !isWord else { return text }
    return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}

/// Writes lines on a thread of its own: who reads the log slowly, or not at all, holds up nobody.
final class LogWriter: Sendable {
  private struct Backlog {
    var bytes = 0
    var lost = 0
  }

  /// What may wait to be written, in bytes: some seconds of a service at its busiest.
  private static let limit = 1 << 20

  private let backlog = Mutex(Backlog())
  private let queue = DispatchQueue(label: "log")
  private let out: @Sendable ([UInt8]) -> Void
  private let lost: @Sendable (Int) -> [UInt8]

  /// A writer to `out`, which may block; `lost` makes the line that tells how many lines found no room.
  init(out: @escaping @Sendable ([UInt8]) -> Void, lost: @escaping @Sendable (Int) -> [UInt8]) {
    self.out = out
    self.lost = lost
  }

  /// Has a line written, or counts it where too much waits already.
  func write(_ line: [UInt8]) {
    let hasRoom = backlog.withLock { backlog in
      guard backlog.bytes + line.count <= LogWriter.limit else {
        backlog.lost += 1
        return false
      }
      backlog.bytes += line.count
      return true
    }
    guard hasRoom else { return }
    queue.async { [self] in
      out(line)
      let droppedCount = backlog.withLock { backlog in
        backlog.bytes -= line.count
        return exchange(&backlog.lost, with: 0)
      }
      if droppedCount > 0 { out(lost(droppedCount)) }
    }
  }

  /// Returns when everything is written, or after two seconds of a reader that stands still.
  func finish() {
    let written = DispatchSemaphore(value: 0)
    queue.async { written.signal() }
    _ = written.wait(timeout: .now() + .seconds(2))
  }
}
