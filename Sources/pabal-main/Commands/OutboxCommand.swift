import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalServer

/// `pabal outbox`: queued mail and the results of recent mail.
struct OutboxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outbox",
    abstract: "List queued and recent mail; retry or cancel it.",
    discussion: """
      Examples:
        pabal outbox list
        pabal outbox list --state waiting --watch
        pabal outbox list --to kim@example.com --submitter user:shop
        pabal outbox show 01M5PWP165041061050R3GG28A
        pabal outbox retry --all
      """,
    subcommands: [OutboxList.self, OutboxShow.self, OutboxRetry.self, OutboxCancel.self],
    defaultSubcommand: OutboxList.self)
}

extension CommandContext {
  /// Opens the outbox, expires what is overdue, and returns what `work` returns.
  func withOutbox<Value: Sendable>(
    _ work: @escaping @Sendable (OpenStorage) async throws(StorageError) -> Value
  ) throws(CommandError) -> Value {
    let storage = try storage()
    defer { storage.database.close() }
    let sweep = OutboxSweep(now: storage.now(), options: configuration.outbox.options)
    return try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        // Mail has to expire even if no `serve` is running.
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
    commandName: "retry", abstract: "Make waiting mail due now, and try paused and held transports again.",
    discussion: "`pabal serve` then delivers it. Mail in a final state doesn't change.")

  @Argument(help: "The ids of the mails.")
  var ids: [String] = []

  @Flag(help: "Retry all waiting mail.")
  var all = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard all != !ids.isEmpty else { throw ValidationError("Name mails by id, or pass --all.") }
  }

  func run() throws {
    let chosen = all ? nil : ids
    let count = try CommandContext(common).withOutbox { storage throws(StorageError) in
      // A retry by hand means that the cause was fixed, so the next mail shows whether that is so.
      let now = storage.now()
      _ = try await storage.outbox.transports { states in
        for name in states.keys {
          states[name]?.endWait(at: now)
          if chosen == nil { states[name]?.exhaustedUntil = nil }
        }
      }
      return try await storage.outbox.amend(.retry(chosen), now: storage.now())
    }
    try OutboxChangeOutput("retried", count, of: chosen).printResult(asJSON: common.json)
  }
}

/// `pabal outbox cancel`.
struct OutboxCancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancel mail that isn't in a final state.",
    discussion: "A mail that is being sent is cancelled only if the attempt doesn't reach a final state.")

  @Argument(help: "The ids of the mails.")
  var ids: [String]

  @OptionGroup var common: CommonOptions

  func run() throws {
    let ids = ids
    let count = try CommandContext(common).withOutbox { storage throws(StorageError) in
      try await storage.outbox.amend(.cancel(ids), now: storage.now())
    }
    try OutboxChangeOutput("cancelled", count, of: ids).printResult(asJSON: common.json)
  }
}

/// The number of mails that a command changed.
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
      if isShort {
        Terminal.printError("pabal: the remaining mails are in a final state or not in this outbox")
      }
    }
    if isShort { throw ExitStatus.input.exitCode }
  }
}

/// `pabal outbox list`.
struct OutboxList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List mail, newest first, with counts by state.")

  @Option(
    name: [.customLong("state"), .customLong("status")],
    help: ArgumentHelp("Only mail in this state; repeatable.", valueName: "state"),
    completion: .list(OutboxState.allCases.map(\.rawValue)), transform: Self.state)
  var state: [OutboxState] = []

  @Option(
    help: ArgumentHelp(
      "Only mail to this address, in any of its spellings; what was found is kept as a digest.",
      valueName: "address"))
  var to: String?

  @Option(
    help: ArgumentHelp(
      "Only mail of this submitter, such as user:printer, network:192.0.2.7, local:www-data or client:shop.",
      valueName: "submitter"))
  var submitter: String?

  @Option(
    help: ArgumentHelp(
      "Only mail that was added before the one with this id, for the next page.", valueName: "id"))
  var before: String?

  @Option(help: "The largest number of mails to list.")
  var limit: Int = 20

  @Flag(help: "Refresh the list every second until Ctrl-C; needs a terminal.")
  var watch = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard 1...10_000 ~= limit else { throw ValidationError("--limit must be from 1 to 10000.") }
    if watch, common.json { throw ValidationError("--watch can't be combined with --json.") }
    if let before, !MailIdentity.isID(before) { throw ValidationError("--before needs the id of a mail.") }
  }

  private static func state(_ text: String) throws -> OutboxState {
    guard let state = OutboxState(rawValue: text) else {
      let known = OutboxState.allCases.map(\.rawValue).joined(separator: ", ")
      if text == "held" || text == "deferred" {
        throw ValidationError("Mail that was \(text) is in the state waiting; the states are \(known).")
      }
      throw ValidationError("Unknown state \(printable(text)); the states are \(known).")
    }
    return state
  }

  private static func address(_ text: String) throws -> Address {
    do throws(AddressError) {
      return try Address(text.trimmed)
    } catch {
      throw CommandError(.input, "--to: \(error.message)", remedy: "write an address like kim@example.com")
    }
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
      throw CommandError(.usage, "--watch needs a terminal", remedy: "leave it out")
    }
    let states: Set<OutboxState>? = state.isEmpty ? nil : Set(state)
    var query = OutboxQuery(
      states: states, before: before, limit: limit, withContent: true, withCounts: true, withTransports: true)
    query.withMarks = true
    query.caller = submitter.map(Caller.storedName)
    let recipient = try to.map(Self.address)
    let context = try CommandContext(common)
    let storage = try context.storage()
    if let recipient { query.recipients = RecipientDigest.searched(for: recipient, storage.keys) }
    let options = context.configuration.outbox.options
    defer { storage.database.close() }
    var hasSwept = false
    repeat {
      let sweeps = !hasSwept
      hasSwept = true
      let view = try blockingAwait { [query] () throws(CommandError) in
        do throws(StorageError) {
          // Mail has to expire even if no `serve` is running. Once is enough for `--watch`.
          if sweeps { _ = try await storage.outbox.sweep(OutboxSweep(now: storage.now(), options: options)) }
          return try await storage.outbox.read(query)
        } catch {
          throw CommandError(error)
        }
      }
      let unavailableTransports = storage.unavailableTransports(view.transports)
      let schedule = context.routeSchedule(view.transports)
      let mails = view.entries.map { OutboxEntryOutput($0, keys: storage.keys, schedule: schedule) }
      if common.json {
        let counts = view.counts.map { ($0.key.rawValue, $0.value) }
        try Terminal.printResult(
          json:
            Listing(
              counts: Dictionary(uniqueKeysWithValues: counts), transports: unavailableTransports,
              mails: mails))
      } else {
        if watch { Terminal.write(Array("\u{1B}[H\u{1B}[2J".utf8)) }
        let isFiltered = to != nil || submitter != nil
        Terminal.printResult(
          Self.text(
            view.counts, unavailableTransports, mails, states: state, isFiltered: isFiltered,
            isSearch: isFiltered || before != nil))
      }
      if watch { sleep(1) }
    } while watch
  }

  private static func text(
    _ counts: [OutboxState: Int], _ unavailableTransports: [UnavailableTransport],
    _ mails: [OutboxEntryOutput], states: [OutboxState], isFiltered: Bool, isSearch: Bool
  ) -> String {
    let counted = OutboxState.allCases.compactMap { state in counts[state].map { "\($0) \(state.rawValue)" } }
    // The reasons why mail waits come before the mail.
    let head = unavailableTransports.map(\.line)
    guard !counted.isEmpty else { return (head + ["The outbox is empty."]).joined(separator: "\n") }
    var lines = mails.map(\.line)
    if lines.isEmpty, isSearch {
      lines = ["No such mail; mail in a final state is kept for outbox.retention."]
    } else if lines.isEmpty, !states.isEmpty {
      lines = ["No mail is \(states.map(\.rawValue).joined(separator: " or "))."]
    }
    // The counts are those of the whole outbox.
    let totals = isFiltered ? [] : [counted.joined(separator: ", ")]
    return (head + totals + lines).joined(separator: "\n")
  }
}

/// `pabal outbox show`.
struct OutboxShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a mail: its recipients, its attempts, and why it waits.")

  @Argument(help: "The mail's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    var query = OutboxQuery(ids: [id], withContent: true, withTransports: true)
    query.withMarks = true
    let context = try CommandContext(common)
    let found = try context.withOutbox { [query] storage throws(StorageError) in
      let view = try await storage.outbox.read(query)
      let schedule = context.routeSchedule(view.transports)
      return view.entries.first.map { OutboxEntryOutput($0, keys: storage.keys, schedule: schedule) }
    }
    guard let found else {
      throw CommandError(
        .input, "no mail \(printable(String(id.prefix(64)))) in this outbox",
        remedy:
          "list mails with `pabal outbox list`; mail in a final state is kept for a day, or for outbox.retention"
      )
    }
    if common.json { try Terminal.printResult(json: found) } else { Terminal.printResult(found.text) }
  }
}
