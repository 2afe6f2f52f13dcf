import ArgumentParser
import Glibc
import PabalCommand
import PabalCore

/// `pabal outbox list`.
struct OutboxList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List mail, the newest first, and count it by state.")

  @Option(
    help: ArgumentHelp("Only mail in this state; repeatable.", valueName: "state"),
    completion: .list(OutboxState.allCases.map(\.rawValue)), transform: Self.state)
  var state: [OutboxState] = []

  @Option(help: "How many at most.")
  var limit: Int = 20

  @Flag(help: "On a terminal: show it anew every second, until Ctrl-C.")
  var watch = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard 1...10_000 ~= limit else { throw ValidationError("--limit takes a number from 1 to 10000.") }
    if watch, common.json { throw ValidationError("--watch is for people; leave --json out.") }
  }

  private static func state(_ text: String) throws -> OutboxState {
    guard let state = OutboxState(rawValue: text) else {
      let known = OutboxState.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("There is no state \(printable(text)); there are \(known).")
    }
    return state
  }

  private struct Listing: Encodable {
    let counts: [String: Int]
    let transports: [UnavailableTransport]
    let mails: [OutboxEntryOutput]

    enum CodingKeys: String, CodingKey {
      case counts = "counts"
      case transports = "transports"
      case mails = "mails"
    }
  }

  func run() throws {
    if watch, !Terminal.isInteractive {
      throw CommandError(.usage, "--watch needs a terminal", remedy: "leave it out, or run it in one")
    }
    let states: Set<OutboxState>? = state.isEmpty ? nil : Set(state)
    let query = OutboxQuery(
      states: states, limit: limit, withContent: true, withCounts: true, withTransports: true)
    let context = try CommandContext(common)
    let storage = try context.storage()
    let options = context.configuration.outbox.options
    defer { storage.database.close() }
    var hasSwept = false
    repeat {
      let sweeps = !hasSwept
      hasSwept = true
      let view = try blockingAwait { () throws(CommandError) in
        do throws(StorageError) {
          // Without a `serve` nobody else keeps house. Once is enough: whoever watches gets in nobody's way.
          if sweeps { _ = try await storage.outbox.sweep(OutboxSweep(now: .now(), options: options)) }
          return try await storage.outbox.read(query)
        } catch {
          throw CommandError(error)
        }
      }
      let unavailableTransports = storage.unavailableTransports(view.transports)
      let mails = view.entries.map { OutboxEntryOutput($0, keys: storage.keys) }
      if common.json {
        let counts = view.counts.map { ($0.key.rawValue, $0.value) }
        try Terminal.printResult(
          json:
            Listing(
              counts: Dictionary(uniqueKeysWithValues: counts), transports: unavailableTransports, mails: mails))
      } else {
        if watch { Terminal.write(Array("\u{1B}[H\u{1B}[2J".utf8)) }
        Terminal.printResult(Self.text(view.counts, unavailableTransports, mails))
      }
      if watch { sleep(1) }
    } while watch
  }

  private static func text(
    _ counts: [OutboxState: Int], _ unavailableTransports: [UnavailableTransport], _ mails: [OutboxEntryOutput]
  ) -> String {
    let counted = OutboxState.allCases.compactMap { state in counts[state].map { "\($0) \(state.rawValue)" } }
    // Why mail waits comes before the mail.
    let head = unavailableTransports.map(\.line)
    guard !counted.isEmpty else { return (head + ["The outbox is empty."]).joined(separator: "\n") }
    return (head + [counted.joined(separator: ", ")] + mails.map(\.line)).joined(separator: "\n")
  }
}

/// `pabal outbox show`.
struct OutboxShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a mail: whom it is for, what was tried, why it waits.")

  @Argument(help: "The mail's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    let found = try CommandContext(common).withOutbox { storage throws(StorageError) in
      try await storage.outbox.read(OutboxQuery(ids: [id], withContent: true)).entries.first.map {
        OutboxEntryOutput($0, keys: storage.keys)
      }
    }
    guard let found else {
      throw CommandError(
        .input, "there is no mail \(printable(String(id.prefix(64)))) in this outbox",
        remedy: "`pabal outbox list` shows all; mail in a final state is kept for a day")
    }
    if common.json { try Terminal.printResult(json: found) } else { Terminal.printResult(found.text) }
  }
}
