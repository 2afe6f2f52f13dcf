import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalServer
import PabalStorage

/// `pabal storage`: backups of the database.
struct StorageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "storage",
    abstract: "Back up the database while it is in use; restore a backup; move to another database.",
    discussion: """
      A backup is of no use without the master key: back up the keys as well, and keep them apart.

      Examples:
        pabal storage backup /backup/pabal-$(date +%F).sqlite
        pabal storage restore /backup/pabal-2026-11-30.sqlite
        pabal storage copy --from /var/lib/pabal/pabal.sqlite
      """,
    subcommands: [Backup.self, Restore.self, Copy.self])

  /// `pabal storage backup`.
  struct Backup: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Copy the database to a new file.",
      discussion: """
        The copy is consistent although `pabal serve` goes on, and is checked. Its mode is 600. An existing file is \
        never replaced.
        """)

    @Argument(help: "The file to create.", completion: .file())
    var file: String

    @OptionGroup var common: CommonOptions

    func run() throws {
      let context = try CommandContext(common)
      let path = try context.databaseFile(
        "pg_dump --schema=pabal copies a PostgreSQL database while it is in use")
      guard SQLiteDatabase.exists(path) else {
        throw CommandError(
          .configuration, "the database \(path) doesn't exist, so there is nothing to back up",
          remedy: "set \"path\" in \"storage\", or pass --config")
      }
      guard access(file, F_OK) != 0 else {
        throw CommandError(
          .unwritten, "\(printable(file)): the file exists", remedy: "choose another name, or remove it")
      }
      let directory = file.split(separator: "/").dropLast().joined(separator: "/")
      let parent = file.hasPrefix("/") ? "/\(directory)" : directory.isEmpty ? "." : directory
      guard access(parent, F_OK) == 0 else {
        throw CommandError(
          .unwritten, "\(printable(parent)): directory not found", remedy: "create it, or choose another one")
      }
      let storage = try context.storage()
      defer { storage.database.close() }
      guard let database = storage.database as? SQLiteDatabase else { return }
      let summary: StorageSummary
      do throws(StorageError) {
        summary = try database.backUp(to: file)
      } catch {
        // A destination that can't be written isn't an error of the configuration.
        throw CommandError(error.place == path ? .configuration : .unwritten, [error.diagnostic])
      }
      let keys = context.configuration.keys.directory.map { "\($0)/\(Keyring.fileName)" }
      if common.json {
        return try Terminal.printResult(json: BackupOutput(file: file, summary, keys: OrNull(keys)))
      }
      Terminal.printResult(
        "Backed up to \(printable(file)): \(counted(summary.mails, "mail")), \(summary.unfinishedMails) not sent yet, "
          + "\(counted(summary.verifications, "verification")).")
      Terminal.printError(
        "It can be restored only with its key: back up \(keys ?? "the key in \"keys\"") too, and keep it apart."
      )
    }
  }

  /// `pabal storage restore`.
  struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put a copy of a backup in the place of the database.",
      discussion: """
        Stop every `pabal serve` first. The current database is renamed, not deleted. Mail that was waiting when the \
        backup was made is sent again, even if it was sent since; mail that must not be sent twice ends as unknown. \
        --cancel-waiting cancels all of it.
        """)

    @Argument(help: "The backup.", completion: .file())
    var file: String

    @Flag(help: "Cancel all mail that was waiting when the backup was made.")
    var cancelWaiting = false

    @OptionGroup var common: CommonOptions

    func run() throws {
      let context = try CommandContext(common)
      let path = try context.databaseFile("pg_restore restores a PostgreSQL database from what pg_dump wrote")
      let keys: Keyring
      do throws(Diagnostic) {
        keys = try context.existingKeys()
      } catch {
        throw CommandError(.configuration, [error])
      }
      guard access(file, F_OK) == 0 else {
        throw CommandError(
          .configuration, "\(printable(file)): file not found",
          remedy: "name the file that `pabal storage backup` wrote")
      }
      let (summary, moved): (StorageSummary, String?)
      do throws(StorageError) {
        (summary, moved) = try SQLiteDatabase.restore(
          file, to: path, keys: keys, cancelsUnfinished: cancelWaiting,
          at: .now())
      } catch {
        throw CommandError(error)
      }
      if common.json {
        return try Terminal.printResult(
          json: RestoreOutput(
            database: path, replaced: OrNull(moved), summary,
            cancelled: cancelWaiting))
      }
      Terminal.printResult("Restored \(printable(file)) to \(path).")
      if let moved { Terminal.printResult("The database that was there is now \(moved).") }
      if summary.endedMails > 0 {
        Terminal.printResult(
          cancelWaiting
            ? "\(counted(summary.endedMails, "waiting mail")) cancelled."
            : "\(counted(summary.endedMails, "mail")) that must not be sent twice ended as unknown.")
      }
      if summary.unfinishedMails > 0 {
        Terminal.printResult(
          "\(counted(summary.unfinishedMails, "mail")) \(summary.unfinishedMails == 1 ? "waits" : "wait") and will be sent by `pabal serve`, again if sent after the "
            + "backup; `pabal outbox list` shows them, and `pabal outbox cancel` cancels them.")
      }
    }
  }
}

extension CommandContext {
  /// Returns the path of the database; throws with `remedy` if it is on a server.
  fileprivate func databaseFile(_ remedy: String) throws(CommandError) -> String {
    guard let file = configuration.storage.file else {
      throw CommandError(
        .configuration, "the storage is a PostgreSQL database, not a file", remedy: remedy)
    }
    return file
  }

  /// Returns the keys, which must exist: a new key couldn't open a backup.
  fileprivate func existingKeys() throws(Diagnostic) -> Keyring {
    if let directory = configuration.keys.directory, access("\(directory)/\(Keyring.fileName)", F_OK) != 0 {
      throw Diagnostic(
        "the key \(directory)/\(Keyring.fileName) doesn't exist",
        remedy: "restore the key of the backup first; the backup can't be read without it")
    }
    return try configuration.keys.keyring()
  }
}

private struct BackupOutput: Encodable {
  let file: String
  let mails: Int
  let unfinishedMails: Int
  let verifications: Int
  let key: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case file = "file"
    case mails = "mails"
    case unfinishedMails = "unfinished_mails"
    case verifications = "verifications"
    case key = "key"
  }

  init(file: String, _ summary: StorageSummary, keys: OrNull<String>) {
    self.file = file
    mails = summary.mails
    unfinishedMails = summary.unfinishedMails
    verifications = summary.verifications
    key = keys
  }
}

private struct RestoreOutput: Encodable {
  let database: String
  /// The new path of the database that was there; null if there was none.
  let replaced: OrNull<String>
  let unfinishedMails: Int
  let cancelledMails: Int
  let unknownMails: Int

  enum CodingKeys: String, CodingKey {
    case database = "database"
    case replaced = "replaced"
    case unfinishedMails = "unfinished_mails"
    case cancelledMails = "cancelled_mails"
    case unknownMails = "unknown_mails"
  }

  init(database: String, replaced: OrNull<String>, _ summary: StorageSummary, cancelled: Bool) {
    self.database = database
    self.replaced = replaced
    unfinishedMails = summary.unfinishedMails
    cancelledMails = cancelled ? summary.endedMails : 0
    unknownMails = cancelled ? 0 : summary.endedMails
  }
}
