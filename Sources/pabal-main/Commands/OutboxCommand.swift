import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalServer

/// `pabal outbox`: the mail that waits, and what became of the rest.
struct OutboxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outbox",
    abstract: "See the mail that waits and what became of the rest; try it again, or take it back.",
    discussion: """
      Examples:
        pabal outbox list
        pabal outbox list --state waiting --watch
        pabal outbox show 01M5PWP165041061050R3GG28A
        pabal outbox retry --all
      """,
    subcommands: [OutboxList.self, OutboxShow.self, OutboxRetry.self, OutboxCancel.self],
    defaultSubcommand: OutboxList.self)
}

extension CommandContext {
  /// Does `work` on the outbox.
  func withOutbox<Value: Sendable>(
    _ work: @escaping @Sendable (OpenStorage) async throws(StorageError) -> Value
  ) throws(CommandError) -> Value {
    let storage = try storage()
    defer { storage.database.close() }
    let sweep = OutboxSweep(now: .now(), options: configuration.outbox.options)
    return try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        // Without a `serve` nobody else keeps house.
        _ = try await storage.outbox.sweep(sweep)
        return try await work(storage)
      } catch {
        throw CommandError(error)
      }
    }
  }
}

/// `pabal outbox retry`.
struct OutboxRetry: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry", abstract: "Make waiting mail due now, and try transports that are held again.",
    discussion: "`pabal serve` then hands it over; mail in a final state stays as it is.")

  @Argument(help: "The mails' ids.")
  var ids: [String] = []

  @Flag(help: "All waiting mail.")
  var all = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard all != !ids.isEmpty else { throw ValidationError("Name mails by their ids, or say --all.") }
  }

  func run() throws {
    let chosen = all ? nil : ids
    let count = try CommandContext(common).withOutbox { storage throws(StorageError) in
      // Whoever asks for this has mended something.
      _ = try await storage.outbox.transports { states in
        for name in states.keys {
          states[name]?.open()
          if chosen == nil { states[name]?.exhaustedUntil = nil }
        }
      }
      return try await storage.outbox.amend(.retry(chosen), now: .now())
    }
    try OutboxChangeOutput("retried", count, of: chosen).printResult(asJSON: common.json)
  }
}

/// `pabal outbox cancel`.
struct OutboxCancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Take mail back that is not in a final state.",
    discussion: "A mail that is just being handed over is taken back only if that decides nothing.")

  @Argument(help: "The mails' ids.")
  var ids: [String]

  @OptionGroup var common: CommonOptions

  func run() throws {
    let ids = ids
    let count = try CommandContext(common).withOutbox { storage throws(StorageError) in
      try await storage.outbox.amend(.cancel(ids), now: .now())
    }
    try OutboxChangeOutput("cancelled", count, of: ids).printResult(asJSON: common.json)
  }
}

/// How many mails a command changed.
private struct OutboxChangeOutput: Encodable {
  let verb: String
  let changed: Int
  let asked: OrNull<Int>

  enum CodingKeys: String, CodingKey {
    case changed = "changed"
    case asked = "asked"
  }

  init(_ verb: String, _ changed: Int, of ids: [String]?) {
    self.verb = verb
    self.changed = changed
    asked = OrNull(ids.map { Set($0).count })
  }

  func printResult(asJSON: Bool) throws {
    let isShort = asked.value.map { changed < $0 } ?? false
    if asJSON {
      try Terminal.printResult(json: self)
    } else {
      Terminal.printResult("\(verb) \(changed)\(asked.value.map { " of \($0)" } ?? "")")
      if isShort { Terminal.printError("pabal: the others are in a final state, or not in this outbox") }
    }
    if isShort { throw ExitStatus.input.exitCode }
  }
}

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
              counts: Dictionary(uniqueKeysWithValues: counts), transports: unavailableTransports,
              mails: mails))
      } else {
        if watch { Terminal.write(Array("\u{1B}[H\u{1B}[2J".utf8)) }
        Terminal.printResult(Self.text(view.counts, unavailableTransports, mails))
      }
      if watch { sleep(1) }
    } while watch
  }

  private static func text(
    _ counts: [OutboxState: Int], _ unavailableTransports: [UnavailableTransport],
    _ mails: [OutboxEntryOutput]
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
