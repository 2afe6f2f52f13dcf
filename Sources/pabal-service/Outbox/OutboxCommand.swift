import ArgumentParser
import PabalCommand
import PabalCore

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
