import Glibc
package import PabalCommand
package import PabalCore
import PabalMessages
package import PabalStorage

/// The database that `config.json` names, open, with its keys.
package struct OpenStorage: Sendable {
  package let keys: Keyring
  package let database: any StorageDatabase

  /// The outbox in the database.
  package var outbox: any Outbox { database.outbox }

  /// The suppression list in the database.
  package var suppressions: SuppressionList { SuppressionList(database.suppressionStore, keys: keys) }

  /// What bounces are matched by.
  var bounces: BounceTraces { BounceTraces(database.bounceStore, keys: keys) }

  /// The current time by the clock that all nodes share.
  package func now() -> Timestamp { database.now() }

  /// The service that queues the mail of `configuration`.
  func submission(
    _ configuration: Configuration, dispatch: (any ImmediateDispatch)? = nil
  ) -> MailSubmission {
    MailSubmission(
      store: database.verificationStore, keys: keys, now: database.now, routes: configuration.routes,
      dispatch: dispatch)
  }

  /// What a dispatcher of the outbox uses.
  func dispatcherDependencies(
    _ configuration: @escaping @Sendable () -> Configuration
  ) -> Dispatcher.Dependencies {
    var dependencies = Dispatcher.Dependencies(now: database.now)
    dependencies.suppression = suppressions
    dependencies.trace = { [keys] mail, remoteID in
      guard configuration().readsBounces else { return nil }
      return BounceTraces.trace(mail, remoteID: remoteID, keys: keys)
    }
    return dependencies
  }
}

extension CommandContext {
  /// Opens the database; creates it, and a key, if they don't exist.
  package func storage() throws(CommandError) -> OpenStorage {
    let keys: Keyring
    let settings: PostgreSQLSettings?
    do throws(Diagnostic) {
      try rejectLostKey()
      keys = try configuration.keys.keyring()
      settings = try configuration.storage.postgresql.map { database throws(Diagnostic) in
        try PostgreSQLSettings(database)
      }
    } catch {
      throw CommandError(.configuration, [error])
    }
    do throws(StorageError) {
      if let settings {
        return OpenStorage(keys: keys, database: try PostgreSQLDatabase(settings, keys: keys))
      }
      return OpenStorage(keys: keys, database: try SQLiteDatabase(configuration.storage.path, keys: keys))
    } catch {
      throw CommandError(error)
    }
  }

  /// Throws if the database exists and its key doesn't, because a new key couldn't open it and would take the place of the
  /// old one.
  private func rejectLostKey() throws(Diagnostic) {
    guard let directory = configuration.keys.directory, let file = configuration.storage.file else { return }
    var status = stat()
    guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      access("\(directory)/\(Keyring.fileName)", F_OK) != 0
    else { return }
    let number = errno
    // Only ENOENT means that the key is missing; after any other error, advice to move the database away would lose it.
    guard number == ENOENT else {
      throw Diagnostic(
        "can't read the keys in \(directory): \(String(cString: strerror(number)))",
        remedy: "run pabal as the user who owns the store, uid \(status.st_uid); nothing is lost")
    }
    throw Diagnostic(
      "the key of the store \(file) is missing: \(directory)/\(Keyring.fileName) doesn't exist",
      remedy: "restore it from a backup, or move the store away to start with an empty one")
  }

  /// Returns the dispatcher that delivers the mail of the outbox over `routes`, whose transports are those of `route`.
  package func dispatcher(
    _ storage: OpenStorage, _ routes: CheckedRoutes, _ route: Route,
    report: @escaping @Sendable (DispatcherEvent) -> Void = { _ in }
  ) -> Dispatcher {
    let dispatchRoutes = routes.table.dispatchRoutes(route.dispatchTransports)
    return Dispatcher(
      storage.outbox, sealing: storage.keys, options: options(for: routes.transports),
      dependencies: storage.dispatcherDependencies { [configuration] in configuration }, report: report,
      routes: { dispatchRoutes })
  }

  /// Returns the options of the dispatcher for `transports`, with the paces that their plugins declare unless
  /// `config.json` sets them.
  package func options(for transports: [CheckedTransport]) -> DispatcherOptions {
    var options = configuration.outbox.options
    for transport in transports where options.paces[transport.name] == nil {
      options.paces[transport.name] = transport.plugin.pace
    }
    options.reports.language = configuration.messages?.language ?? options.reports.language
    options.reports.host =
      configuration.serve.submission.lazy.compactMap(\.host).first ?? LocalUser.current().domain
    // The address that the transports are set up for; they may refuse another one.
    options.reports.from = try? configuration.sender().address
    options.reports.routes = configuration.routes
    return options
  }

  /// Returns the cleanup that expires and deletes verifications when they are due.
  package func verificationCleanup(_ storage: OpenStorage) -> VerificationCleanup {
    VerificationCleanup(
      store: storage.database.verificationStore, policy: configuration.verification.policy,
      now: storage.database.now)
  }

  /// Returns the verification service on the database; `dispatch` sends its mail from this process.
  package func verifications(
    _ storage: OpenStorage, _ messages: MessageCatalog? = nil, dispatch: (any ImmediateDispatch)? = nil
  ) throws(CommandError) -> VerificationService {
    let messages = if let messages { messages } else { try self.messages() }
    return VerificationService(
      store: storage.database.verificationStore, keys: storage.keys,
      composer: StoredVerificationComposer(messages.store, from: try sender(nil)),
      policy: configuration.verification.policy, now: storage.database.now, routes: configuration.routes,
      dispatch: dispatch)
  }
}

extension CommandError {
  package init(_ error: StorageError) {
    let status: ExitStatus =
      switch error.kind {
      case .busy, .full, .unreachable, .unresolved: .deferred
      default: .configuration
      }
    self.init(status, [error.diagnostic])
  }
}

/// Starts a task that expires and deletes verifications once a minute, until it is cancelled.
func startVerificationCleanup(
  _ storage: OpenStorage, _ log: ServeLog, _ context: @escaping @Sendable () -> CommandContext
) -> Task<Void, Never> {
  Task.detached {
    while !Task.isCancelled {
      // Stops using previous keys that have been removed from the directory.
      storage.keys.reload()
      do throws(StorageError) {
        try await context().verificationCleanup(storage).sweep()
        // Once the key that sealed an entry is deleted, the address would get bulk mail again.
        _ = try await storage.suppressions.renew()
      } catch {
        if !Task.isCancelled { log.write("storage", ("problem", error.description)) }
      }
      try? await Task.sleep(for: .seconds(60))
    }
  }
}
