import PabalCommand
import PabalCore
import PabalServer

/// Sends the mail of a verification in this process, and returns after the first attempt.
struct InProcessDispatch: ImmediateDispatch {
  let dispatcher: Dispatcher

  func reserve(_ lane: Lane, unknown: UnknownPolicy, route: String) async -> OutboxEntry.Lease? {
    // A mail that may not be sent twice is enqueued as waiting. If it were leased and this process died, no other
    // process would send it.
    unknown == .resend ? await dispatcher.lease() : nil
  }

  func handOver(_ entry: OutboxEntry, _ mail: Mail) async { await dispatcher.deliver(entry, mail) }

  func release() async {}

  func wake() {}
}

extension CommandContext {
  /// Runs `work`, which enqueues a mail, and attempts to send the mail unless `queued`. Returns the verification
  /// afterwards.
  func sendVerificationMail(
    queued: Bool, over names: [String],
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws(CommandError) -> Verification {
    let routes = try checkedRoutes(names)
    let route = route(routes.transports)
    defer { route.close() }
    let storage = try storage()
    defer { storage.database.close() }
    let dispatcher = dispatcher(storage, routes, route) { event in
      if let line = event.line { Terminal.printError("pabal: \(line)") }
    }
    let service = try verifications(
      storage, dispatch: queued ? nil : InProcessDispatch(dispatcher: dispatcher))
    return try blockingAwait { () throws(CommandError) in
      do throws(VerificationError) {
        let verification = try await work(service)
        guard !queued else {
          await service.cleanUp()
          return verification
        }
        if let mail = verification.delivery, mail.state == .waiting {
          do throws(StorageError) {
            _ = try await dispatcher.deliver(mail.mail)
          } catch {
            throw VerificationError.storage(error)
          }
        }
        let shown = try await service.status(verification.id)
        await service.cleanUp()
        return shown
      } catch {
        throw CommandError(error)
      }
    }
  }

  /// Opens the verifications and returns what `work` returns. `work` must not enqueue mail.
  func withVerifications<Value: Sendable>(
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Value
  ) throws(CommandError) -> Value {
    let storage = try storage()
    defer { storage.database.close() }
    let service = try verifications(storage)
    return try blockingAwait { () throws(CommandError) in
      do throws(VerificationError) {
        let value = try await work(service)
        await service.cleanUp()
        return value
      } catch {
        throw CommandError(error)
      }
    }
  }
}

extension DispatcherEvent {
  /// What a person waiting for the mail should know; `nil` if the result of the command says it.
  fileprivate var line: String? {
    switch self {
    case .paced(_, let transport, let until, isReturned: false):
      "transport \(transport): rate limit reached; the mail will be sent at \(until.text)"
    case .paced(_, let transport, let until, isReturned: true):
      "transport \(transport): rate limit reached until \(until.text); the mail is queued, and `pabal serve` sends it then unless it has expired"
    case .unsettled(let id, let problem):
      "mail \(id): it was sent, but that could not be recorded, so it may arrive twice: \(problem)"
    case .attempted, .settled, .suppressed, .held, .paused, .restored, .expedited, .routeMissing,
      .codesDelayed, .lost,
      .reported, .unreadable, .storage:
      nil
    }
  }
}

extension VerificationService {
  /// Deletes a bounded number of old rows. Errors are ignored, because the command already has its result.
  fileprivate func cleanUp() async { _ = try? await sweep(limit: 100) }
}

extension CommandError {
  init(_ problem: VerificationError) {
    switch problem {
    case .storage(let problem): self.init(problem)
    case .limited(let limit, let wait):
      self.init(.deferred, [Diagnostic(problem.description)], reachedLimit: ReachedLimit(limit, wait))
    case .brokenMessage(let diagnostics): self.init(.input, diagnostics.all)
    case .unknown:
      self.init(
        .input, problem.description, remedy: "use the id that `verify start` printed; it is kept for a day")
    case .keys: self.init(.configuration, problem.description, remedy: "restore the key it was created with")
    case .inputs(let errors):
      self.init(.input, errors.map { Diagnostic("\($0.field): \($0.message)") })
    case .ended, .input, .proof, .reused: self.init(.input, problem.description)
    }
  }
}
