import Glibc
package import PabalCommand
package import PabalCore
import PabalMessages
package import PabalStorage

/// The store that `config.json` names, opened with its keys.
package struct OpenStorage: Sendable {
  package let keys: Keyring
  package let database: SQLiteDatabase

  /// The mail in it.
  package var outbox: SQLiteOutbox { SQLiteOutbox(database) }
}

extension CommandContext {
  /// Opens the store; makes it, and a key, where there are none.
  package func storage() throws(CommandError) -> OpenStorage {
    let keys: Keyring
    do throws(Diagnostic) {
      try rejectLostKey()
      keys = try configuration.keys.keyring()
    } catch {
      throw CommandError(.configuration, [error])
    }
    do throws(StorageError) {
      return OpenStorage(keys: keys, database: try SQLiteDatabase(configuration.storage.path, keys: keys))
    } catch {
      throw CommandError(error)
    }
  }

  /// A store without its key is of no use, and a new key made now would only stand in the old one's way.
  private func rejectLostKey() throws(Diagnostic) {
    guard let directory = configuration.keys.directory else { return }
    var facts = stat()
    guard stat(configuration.storage.path, &facts) == 0,
      access("\(directory)/\(Keyring.fileName)", F_OK) != 0
    else { return }
    let number = errno
    // Anything else than its absence says nothing about the key; whoever moves the store away then has lost it.
    guard number == ENOENT else {
      throw Diagnostic(
        "this user may not read the keys in \(directory): \(String(cString: strerror(number)))",
        remedy: "run it as the user whom the store belongs to, number \(facts.st_uid); nothing is lost")
    }
    throw Diagnostic(
      "the key of the store \(configuration.storage.path) is gone: there is no \(directory)/\(Keyring.fileName)",
      remedy: "put it back, or move the store away and begin anew")
  }

  /// The loop that empties the outbox over `route`.
  package func dispatcher(
    _ storage: OpenStorage, _ route: Route, report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in }
  ) -> Dispatcher {
    Dispatcher(storage.outbox, sealing: storage.keys, options: options, report: report, route: route)
  }

  /// How the dispatcher goes about it.
  package var options: DispatcherOptions {
    var options = configuration.outbox.options
    for transport in configuration.transports
    where transport.plugin == "gmail" && options.paces[transport.name] == nil {
      options.paces[transport.name] = Self.gmailPace
    }
    return options
  }

  /// What one mailbox may send by the API: 60 mails a minute (Gmail API, usage limits: 6,000 quota units a minute
  /// and user, 100 for `messages.send`).
  private static let gmailPace = Pace(sends: 60, per: .seconds(60))

  /// What ends and deletes verifications in their time.
  package func verificationCleanup(_ storage: OpenStorage) -> VerificationCleanup {
    VerificationCleanup(
      store: SQLiteVerificationStore(storage.database), policy: configuration.verification.policy)
  }

  /// Verifications in the store; `dispatch` sends their mail in this process.
  package func verifications(
    _ storage: OpenStorage, _ messages: MessageCatalog? = nil, dispatch: (any ImmediateDispatch)? = nil
  ) throws(CommandError) -> VerificationService {
    let messages = if let messages { messages } else { try self.messages() }
    return VerificationService(
      store: SQLiteVerificationStore(storage.database), keys: storage.keys,
      composer: StoredVerificationComposer(messages.store, from: try sender(nil)),
      policy: configuration.verification.policy, dispatch: dispatch)
  }
}

extension CommandError {
  package init(_ problem: StorageError) {
    let status: ExitStatus =
      switch problem.kind {
      case .busy, .full: .deferred
      default: .configuration
      }
    self.init(status, [problem.diagnostic])
  }
}

/// Ends and deletes verifications in their time, every minute, until the task is cancelled.
func startVerificationCleanup(
  _ storage: OpenStorage, _ log: ServeLog, _ context: @escaping @Sendable () -> CommandContext
) -> Task<Void, Never> {
  Task.detached {
    while !Task.isCancelled {
      // A previous key that was removed is not to seal or to count anything any more.
      storage.keys.reload()
      do throws(StorageError) {
        try await context().verificationCleanup(storage).sweep()
      } catch {
        if !Task.isCancelled { log.write("storage", ("problem", error.description)) }
      }
      try? await Task.sleep(for: .seconds(60))
    }
  }
}
