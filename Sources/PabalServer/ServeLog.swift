import Dispatch
import FoundationEssentials
import PabalCommand
import PabalCore
import PabalHTTP
import Synchronization

/// The log of `pabal serve`: one line per event, without addresses, codes, subjects or tokens.
struct ServeLog: Sendable {
  private let asJSON: Bool
  private let writer: LogWriter
  private let accountLines = SharedLines()

  init(asJSON: Bool) {
    self.asJSON = asJSON
    writer = LogWriter { line in
      if asJSON { Terminal.write(line) } else { Terminal.printError(line) }
    } lost: { count in
      ServeLog.line("log", [("lost", "\(count)")], asJSON: asJSON)
    }
  }

  /// Waits until everything is written, or for two seconds if the reader of the log has stopped reading.
  func finish() { writer.finish() }

  /// Writes an event of the command itself.
  func write(_ event: String, _ fields: (String, String)...) { write(event, fields) }

  /// Writes the state of an account, unless it is the last line that was written about the account.
  func writeAccount(_ line: String) {
    let name = String(line.prefix { $0 != ":" })
    guard accountLines.withLock({ $0.updateValue(line, forKey: name) }) != line else { return }
    write("account", ("about", line))
  }

  /// Writes a problem in a file, without the content of the file.
  func report(_ event: String, _ diagnostic: Diagnostic, _ more: [(String, String)] = []) {
    var fields = more
    if let position = diagnostic.position {
      fields += [("line", "\(position.line)"), ("column", "\(position.column)")]
    }
    if let path = diagnostic.path { fields.append(("path", path)) }
    fields.append(("problem", diagnostic.redactedMessage))
    write(event, fields)
  }

  /// Writes that a message was read again, and its errors.
  func report(message name: String, _ diagnostics: [Diagnostic]) {
    let errors = diagnostics.filter { $0.severity == .error }
    write("message", ("message", name), ("errors", "\(errors.count)"))
    for error in errors { report("message failed", error, [("message", name)]) }
  }

  /// Writes a line that a transport logged.
  func report(_ transport: String, _ level: LogLevel, _ line: String) {
    write("transport", ("transport", transport), ("level", level.rawValue), ("problem", line))
  }

  /// Writes an event of the HTTP server.
  func write(_ event: HTTPEvent) {
    switch event {
    case .answered(let route, let method, let status, let client, let took):
      var fields = [
        ("method", method), ("route", route), ("status", "\(status)"), ("ms", milliseconds(took)),
      ]
      if let client { fields.append(("client", client)) }
      write("request", fields)
    case .submitted(let id, let client, let recipients, let bytes):
      write(
        "submitted", ("mail", id), ("submitter", client.map { "client:\($0)" } ?? "keyless"),
        ("door", "http"),
        ("recipients", "\(recipients)"), ("bytes", "\(bytes)"))
    case .signatureRemoved(let id, let domain, let changed):
      writeRemovedSignature(of: id, domain: domain, changed: changed)
    // Doesn't log whether it was a notice, which would reveal who is registered.
    case .started(let purpose, let language, _): write("started", verificationFields(purpose, language))
    case .resent(let purpose, let language): write("resent", verificationFields(purpose, language))
    case .checked(let outcome, let purpose, let language, _):
      write("checked", [("outcome", outcome.rawValue)] + verificationFields(purpose, language))
    case .limited(let limit): write("limited", ("limit", limit.rawValue))
    case .failed(let problem): write("refused", ("problem", problem))
    case .warning(let problem): write("warning", ("problem", problem))
    }
  }

  private func verificationFields(_ purpose: String, _ language: String?) -> [(String, String)] {
    [("purpose", purpose)] + (language.map { [("language", $0)] } ?? [])
  }

  private func milliseconds(_ took: Duration) -> String { "\((took.seconds * 10_000).rounded() / 10)" }

  /// Writes an event of the dispatcher.
  func write(_ event: DispatcherEvent) {
    switch event {
    case .attempted(let id, let transport, let outcome, let status, let cause, let took):
      var fields = [
        ("mail", id), ("transport", transport), ("outcome", outcome.name), ("ms", milliseconds(took)),
      ]
      if let status { fields.append(("status", status)) }
      if let cause { fields.append(("cause", cause)) }
      write("attempt", fields)
    // Not logged, because keeping a pace is normal and occurs for mail after mail.
    case .paced: break
    case .settled(let entry):
      var fields = [("mail", entry.id), ("state", entry.state.rawValue), ("attempts", "\(entry.attempts)")]
      if entry.state == .waiting { fields.append(("due", entry.due.text)) }
      write("settled", fields)
    case .suppressed(let id, let lane, let recipients, let isWithheld):
      write(
        "suppressed recipients", ("mail", id), ("lane", lane.rawValue), ("recipients", "\(recipients)"),
        ("withheld", isWithheld ? "yes" : "no"))
    case .held(let transport, let cause):
      write("held", [("transport", transport)] + (cause.map { [("cause", $0)] } ?? []))
    case .paused(let transport, let until, let cause):
      write(
        "paused", [("transport", transport), ("until", until.text)] + (cause.map { [("cause", $0)] } ?? []))
    case .restored(let transport): write("restored", [("transport", transport)])
    case .expedited(let count): write("hastened", [("mails", "\(count)")])
    case .routeMissing(let id, let route): write("route missing", [("mail", id), ("route", route)])
    case .codesDelayed(let since): write("codes wait", [("since", since.text)])
    case .lost(let id): write("lost", [("mail", id)])
    case .reported(let id, let report, let action, let recipients):
      write(
        "reported", [("mail", id), ("report", report), ("action", action), ("recipients", "\(recipients)")])
    case .unreadable(let id): write("unreadable", [("mail", id)])
    case .unsettled(let id, let problem):
      write("unsettled", [("mail", id), ("problem", problem.description)])
    case .storage(let problem): write("storage", [("problem", problem.description)])
    }
  }

  /// Writes an event with the transports of the standard route and the keys of the others.
  func write(_ event: String, _ table: RouteTable) {
    let keys = table.special.keys.sorted().joined(separator: " ")
    write(
      event,
      [("route", table.standard.joined(separator: ","))] + (keys.isEmpty ? [] : [("routes", keys)]))
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

/// The last line about each account.
private final class SharedLines: Sendable {
  private let lines = Mutex<[String: String]>([:])

  func withLock<Value: Sendable>(_ work: (inout [String: String]) -> sending Value) -> Value {
    lines.withLock { work(&$0) }
  }
}

/// Text from servers, plugins and files, made safe for the log.
enum LogText {
  /// Returns the text without addresses and control characters.
  ///
  /// Such text may contain anyone's address. `pabal outbox show` and `pabal check` show it in full.
  static func redacted(_ text: String) -> String { FailureCause.withoutAddresses(text) }

  /// Returns the text as the value of a field, in quotes if it isn't a single word.
  static func quoted(_ text: String) -> String {
    let isWord = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }
    guard !isWord else { return text }
    return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}

/// Writes lines on a queue of its own, so that a slow or stopped reader of the log doesn't block the service.
final class LogWriter: Sendable {
  private struct Backlog {
    var bytes = 0
    var lost = 0
  }

  /// The maximum size of the lines waiting to be written, in bytes: a few seconds' worth under full load.
  private static let limit = 1 << 20

  private let backlog = Mutex(Backlog())
  private let queue = DispatchQueue(label: "log")
  private let out: @Sendable ([UInt8]) -> Void
  private let lost: @Sendable (Int) -> [UInt8]

  /// Creates a writer to `out`, which may block. `lost` returns the line that reports how many lines were dropped.
  init(out: @escaping @Sendable ([UInt8]) -> Void, lost: @escaping @Sendable (Int) -> [UInt8]) {
    self.out = out
    self.lost = lost
  }

  /// Queues a line, or drops and counts it if too much is waiting already.
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

  /// Waits until everything is written, at most two seconds.
  func finish() {
    let written = DispatchSemaphore(value: 0)
    queue.async { written.signal() }
    _ = written.wait(timeout: .now() + .seconds(2))
  }
}
