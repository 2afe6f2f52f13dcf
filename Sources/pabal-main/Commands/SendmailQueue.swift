import Glibc
import PabalCommand
import PabalCore
import PabalServer

/// The outbox of a configuration, for the owner of its database.
struct OwnedOutbox {
  private let file: String
  private let failures: String

  /// The outbox that is used because the ways into the queue described by `failures` failed.
  init(_ file: String, orElse failures: String) {
    self.file = file
    self.failures = failures
  }

  /// Queues the mail of the batch `bytes` under `id`.
  func add(_ bytes: [UInt8], id: String) throws(CommandError) {
    let context: CommandContext
    do throws(CommandError) {
      context = try CommandContext(sendmail: file)
    } catch {
      throw notQueued(error.diagnostics.first?.message ?? "", error.status)
    }
    // Opening would create it.
    switch context.databaseOwner {
    case nil: throw notQueued("its database doesn't exist")
    case geteuid(): break
    default: throw notQueued("its database belongs to another user")
    }
    let storage = try context.storage()
    defer { storage.database.close() }
    let login = LocalUser.current().login
    let result = try blockingAwait { () throws(CommandError) in
      await storage.queue(bytes, id: id, submitter: .local(login), context.configuration)
    }
    if case .refused(let reply) = result {
      let isTemporary = reply.code < 500
      throw CommandError(
        isTemporary ? .deferred : reply.status == "5.7.1" ? .held : .input,
        "mail: refused: \(reply.code) \(reply.text.joined(separator: " "))",
        remedy: isTemporary ? "nothing was queued; send it again later" : "nothing was queued")
    }
  }

  private func notQueued(_ reason: String, _ status: ExitStatus = .deferred) -> CommandError {
    QueueEntrances.notQueued("\(failures); the configuration \(printable(file)): \(reason)", status)
  }
}

extension CommandContext {
  /// Reads the configuration of a `sendmail` command.
  ///
  /// Programs pass arguments on to `sendmail` that strangers chose (CVE-2016-10033), and a configuration names commands and
  /// files. So a file that was named on the command line must be one that only root can change, and no command is run.
  /// The status of the error is `configuration` unless the same command may succeed later.
  fileprivate init(sendmail file: String) throws(CommandError) {
    guard access(file, R_OK) == 0 else {
      throw CommandError(.deferred, String(cString: strerror(errno)), remedy: "use another file")
    }
    if file == SendmailArguments.defaultConfiguration {
      do throws(CommandError) {
        try self.init(CommandOptions(file: file))
      } catch {
        throw CommandError(.deferred, error.diagnostics)
      }
    } else {
      try self.init(ownedByRoot: file)
    }
    if let location = configuration.keys.commandLocation {
      throw CommandError(
        .configuration,
        [location.diagnostic("sendmail runs no command for a key", remedy: "set keys.directory")])
    }
  }

  /// The owner of the database; `nil` if it isn't a file.
  fileprivate var databaseOwner: uid_t? {
    var status = stat()
    guard let file = configuration.storage.file, stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG
    else {
      return nil
    }
    return status.st_uid
  }
}

/// `sendmail -bp` and `sendmail -q`: the waiting mail.
struct SendmailQueue {
  private let arguments: SendmailArguments

  init(_ arguments: SendmailArguments) { self.arguments = arguments }

  /// Prints the waiting mail. Monitoring programs look for the sentence about an empty queue.
  func printList() throws(CommandError) {
    let context = try context()
    guard let storage = try storage(of: context) else {
      Terminal.printResult(Self.emptyQueue)
      return
    }
    defer { storage.database.close() }
    let query = OutboxQuery(
      states: [.waiting, .sending], limit: 10_000, withContent: true, withTransports: true)
    let view = try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        return try await storage.outbox.read(query)
      } catch {
        throw CommandError(error)
      }
    }
    let schedule = context.routeSchedule(view.transports)
    let lines = view.entries.map { OutboxEntryOutput($0, keys: storage.keys, schedule: schedule).line }
    Terminal.printResult(lines.isEmpty ? Self.emptyQueue : lines.joined(separator: "\n"))
  }

  /// Makes the waiting mail due.
  func retry() throws(CommandError) {
    guard let storage = try storage(of: try context()) else { return }
    defer { storage.database.close() }
    _ = try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        let now = storage.now()
        _ = try await storage.outbox.transports { states in
          for name in states.keys { states[name]?.endWait(at: now) }
        }
        return try await storage.outbox.amend(.retry(nil), now: now)
      } catch {
        throw CommandError(error)
      }
    }
  }

  private static let emptyQueue = "Mail queue is empty"

  private func context() throws(CommandError) -> CommandContext {
    do throws(CommandError) {
      return try CommandContext(sendmail: arguments.configuration)
    } catch {
      let status = error.status == .deferred ? ExitStatus.rejected : error.status
      throw unavailable(error.diagnostics.first?.message ?? "invalid configuration", status)
    }
  }

  /// Returns the open database, or `nil` if there is none yet.
  private func storage(of context: CommandContext) throws(CommandError) -> OpenStorage? {
    if let path = context.configuration.storage.file {
      // Opening would create it, for a user who may not be that of `pabal serve`.
      guard access(path, F_OK) == 0 else {
        guard errno == ENOENT else { throw unavailable(String(cString: strerror(errno))) }
        return nil
      }
      guard access(path, R_OK | W_OK) == 0 else { throw unavailable(String(cString: strerror(errno))) }
    }
    do throws(CommandError) {
      return try context.storage()
    } catch {
      throw unavailable(error.diagnostics.first?.message ?? "the database can't be opened")
    }
  }

  private func unavailable(_ reason: String, _ status: ExitStatus = .rejected) -> CommandError {
    CommandError(
      status, "mail queue: not available to this user: \(reason)",
      remedy: "run it as the user of pabal serve, or name its configuration with --config")
  }
}
