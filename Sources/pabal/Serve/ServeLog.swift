import FoundationEssentials
import PabalCore
import PabalHTTP

/// The log of `pabal serve`: a line for each event, without addresses, codes, subjects and tokens.
struct ServeLog: Sendable {
  private let inJSON: Bool

  init(inJSON: Bool) { self.inJSON = inJSON }

  /// Writes an event of the command's own.
  func write(_ event: String, _ fields: (String, String)...) { write(event, fields) }

  /// Writes what is wrong with a file, without what it says there.
  func tell(_ event: String, _ diagnostic: Diagnostic) {
    var fields: [(String, String)] = []
    if let position = diagnostic.position {
      fields += [("line", "\(position.line)"), ("column", "\(position.column)")]
    }
    if let path = diagnostic.path { fields.append(("path", path)) }
    fields.append(("problem", diagnostic.toldProblem))
    write(event, fields)
  }

  /// Writes that a message was read again.
  func tell(message name: String, _ diagnostics: [Diagnostic]) {
    let errors = diagnostics.filter { $0.severity == .error }
    write("message", ("message", name), ("errors", "\(errors.count)"))
    for error in errors { tell("message failed", error) }
  }

  /// Writes an event of the HTTP service's.
  func write(_ event: HTTPEvent) {
    guard case .answered(let route, let method, let status, let client, let took) = event else { return }
    let milliseconds = "\((took.seconds * 10_000).rounded() / 10)"
    var fields = [("method", method), ("route", route), ("status", "\(status)"), ("ms", milliseconds)]
    if let client { fields.append(("client", client)) }
    write("request", fields)
  }

  /// Writes an event of the dispatcher's.
  func write(_ event: DispatcherEvent) {
    switch event {
    case .attempted(let id, let transport, let outcome, let status, let took):
      let milliseconds = "\((took.seconds * 10_000).rounded() / 10)"
      var fields = [("mail", id), ("transport", transport), ("outcome", outcome.name), ("ms", milliseconds)]
      if let status { fields.append(("status", status)) }
      write("attempt", fields)
    case .settled(let entry):
      var fields = [("mail", entry.id), ("state", entry.state.rawValue), ("attempts", "\(entry.attempts)")]
      if entry.state == .waiting { fields.append(("due", entry.due.text)) }
      write("settled", fields)
    case .held(let transport, _):
      // The cause is the far side's text; `pabal check` shows it.
      write("held", [("transport", transport)])
    case .restored(let transport): write("restored", [("transport", transport)])
    case .codesWait(let since): write("codes wait", [("since", since.text)])
    case .lost(let id): write("lost", [("mail", id)])
    case .unreadable(let id): write("unreadable", [("mail", id)])
    case .unsettled(let id, let problem):
      write("unsettled", [("mail", id), ("problem", problem.description)])
    case .storage(let problem): write("storage", [("problem", problem.description)])
    }
  }

  private func write(_ event: String, _ fields: [(String, String)]) {
    let time = Timestamp.now().text
    guard inJSON else {
      let words = fields.map { "\($0)=\($1.contains(" ") ? "\"\($1)\"" : $1)" }
      return Terminal.tell(([time, event] + words).joined(separator: " "))
    }
    var object = Dictionary(fields) { first, _ in first }
    object["time"] = time
    object["event"] = event
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if let line = try? encoder.encode(object) { Terminal.write(Array(line) + [UInt8(ascii: "\n")]) }
  }
}
