import ArgumentParser
import PabalCommand
import PabalCore
import PabalServer
import PabalStorage

extension StorageCommand {
  /// `pabal storage copy`.
  struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Move everything from another database to the one in the configuration.",
      discussion: """
        From a SQLite file to PostgreSQL, or back. Stop every `pabal serve` first. The database in the configuration has \
        to be empty, and needs the same keys. Waiting mail and pending verifications go on there; the other database is \
        renamed, because it must not be used any more. If the command is interrupted, run it again.

        Examples:
          pabal storage copy --from /var/lib/pabal/pabal.sqlite
          PABAL_DATABASE=postgresql://pabal@db.example.com/pabal pabal storage copy --from-env PABAL_DATABASE
        """)

    @Option(
      help: ArgumentHelp("The SQLite file, or the URI of the PostgreSQL database.", valueName: "database"),
      completion: .file())
    var from: String?

    @Option(
      help: ArgumentHelp(
        "The environment variable with the URI, which isn't visible to other users as an argument is.",
        valueName: "name"))
    var fromEnv: String?

    @OptionGroup var common: CommonOptions

    func validate() throws {
      guard (from == nil) != (fromEnv == nil) else {
        throw ValidationError("Name the database to copy from, with --from or --from-env.")
      }
    }

    func run() throws {
      let context = try CommandContext(common)
      let result = try copy(source(), context)
      Terminal.progress("")
      if common.json { return try Terminal.printResult(json: CopyOutput(result)) }
      Terminal.printResult(
        (result.wasCopied ? "Everything had been copied: " : "Copied ")
          + "\(counted(result.mails, "mail")), \(result.unfinishedMails) not sent yet, "
          + "\(counted(result.verifications, "verification")).")
      Terminal.printResult("The database that they come from is now \(result.renamed).")
    }

    private func source() throws(CommandError) -> String {
      if let from { return from }
      guard let name = fromEnv, let text = processEnvironment(name), !text.isEmpty else {
        throw CommandError(
          .configuration, "the environment variable \(printable(fromEnv ?? "")) isn't set",
          remedy: "set it to the URI of the database to copy from")
      }
      return text
    }

    private func copy(_ source: String, _ context: CommandContext) throws(CommandError) -> StorageCopy.Result
    {
      let isURI = source.contains("://")
      guard isURI == (context.configuration.storage.postgresql == nil) else {
        throw CommandError(
          .configuration,
          isURI
            ? "both databases are PostgreSQL" : "both databases are SQLite files",
          remedy: isURI
            ? "copy it with pg_dump and pg_restore"
            : "copy it with pabal storage backup, or set storage.postgresql")
      }
      let settings = isURI ? try sourceSettings(source) : nil
      guard isURI || SQLiteDatabase.exists(source) else {
        throw CommandError(
          .configuration, "the database \(printable(source)) doesn't exist",
          remedy: "name the file; if it was copied before, nothing is left to do")
      }
      let storage = try context.storage()
      defer { storage.database.close() }
      let now = storage.now()
      let report: (Int) -> Void = { if $0 % 5_000 < 500 { Terminal.progress("\($0) rows copied") } }
      do throws(StorageError) {
        if let settings {
          let other = try PostgreSQLDatabase(settings, keys: storage.keys, acceptsMoving: true)
          defer { other.close() }
          return try StorageCopy.move(
            other, to: context.configuration.storage.path, keys: storage.keys, at: now, progress: report)
        }
        guard let destination = storage.database as? PostgreSQLDatabase else {
          throw StorageError(.notFile, place: source)
        }
        return try StorageCopy.move(source, to: destination, keys: storage.keys, at: now, progress: report)
      } catch {
        throw CommandError(error)
      }
    }

    private func sourceSettings(_ uri: String) throws(CommandError) -> PostgreSQLSettings {
      do throws(SettingError) {
        var settings = PostgreSQLSettings(try PostgreSQLAddress(uri: uri))
        // Nodes are recognized by this name.
        for index in settings.parameters.indices
        where settings.parameters[index].keyword == "application_name" {
          settings.parameters[index].value = "pabal storage copy"
        }
        return settings
      } catch {
        throw CommandError(.configuration, error.message, remedy: error.remedy)
      }
    }
  }
}

private struct CopyOutput: Encodable {
  let mails: Int
  let unfinishedMails: Int
  let verifications: Int
  let wasCopied: Bool
  let renamed: String

  enum CodingKeys: String, CodingKey {
    case mails = "mails"
    case unfinishedMails = "unfinished_mails"
    case verifications = "verifications"
    case wasCopied = "was_copied"
    case renamed = "renamed"
  }

  init(_ result: StorageCopy.Result) {
    mails = result.mails
    unfinishedMails = result.unfinishedMails
    verifications = result.verifications
    wasCopied = result.wasCopied
    renamed = result.renamed
  }
}
