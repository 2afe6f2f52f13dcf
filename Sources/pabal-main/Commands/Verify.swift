import ArgumentParser
import PabalCommand
import PabalCore

/// `pabal verify`: proves that a person reads the mail of an address.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Prove that somebody reads the mail of an address: send a code, check it.",
    discussion: """
      Examples:
        pabal verify start you@example.com --language ko
        pabal verify check 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD 123456
        pabal verify resend 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD
      """,
    subcommands: [
      VerifyStart.self, VerifyResend.self, VerifyCheck.self, VerifyStatus.self, VerifyCancel.self,
      VerifyRedeem.self,
    ])
}

/// Sends a verification's mail in this process and returns when its first attempt has ended.
struct InProcessDispatch: ImmediateDispatch {
  let dispatcher: Dispatcher

  func reserve(_ lane: Lane, unknown: UnknownPolicy) async -> OutboxEntry.Lease? {
    // A mail that may not be sent twice is added as waiting: were this process to die with it, nobody
    // would send it any more.
    unknown == .resend ? await dispatcher.lease() : nil
  }

  func handOver(_ entry: OutboxEntry, _ mail: Mail) async { await dispatcher.deliver(entry, mail) }

  func release() async {}

  func wake() {}
}

extension CommandContext {
  /// Does `work`, which adds a mail to the outbox, and waits for that mail's first attempt unless it is to be
  /// left to `pabal serve`; gives how the verification stands then.
  func sendVerificationMail(
    queued: Bool, over names: [String],
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws(CommandError) -> Verification {
    let route = route(try checked(try transports(names)))
    defer { route.close() }
    let storage = try storage()
    defer { storage.database.close() }
    let dispatcher = dispatcher(storage, route) { event in
      if let line = event.line { Terminal.printError("pabal: \(line)") }
    }
    let service = try verifications(storage, dispatch: queued ? nil : InProcessDispatch(dispatcher: dispatcher))
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

  /// Does `work` on the verifications, which adds no mail.
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
  /// What somebody should know who waits for the mail; `nil` where the answer tells it.
  fileprivate var line: String? {
    switch self {
    case .paced(_, let transport, let until, isReturned: false):
      "the transport \(transport) has spent its pace; the mail leaves at \(until.text)"
    case .paced(_, let transport, let until, isReturned: true):
      "the transport \(transport) has spent its pace until \(until.text); the mail is in the outbox, and `pabal serve` sends it then if it is still of use"
    case .unsettled(let id, let problem):
      "the mail \(id) was handed over, but that could not be noted, and it may arrive twice: \(problem)"
    case .attempted, .settled, .held, .restored, .expedited, .codesDelayed, .lost, .unreadable, .storage: nil
    }
  }
}

extension VerificationService {
  /// The bounded share of housekeeping that a command does once it has its answer, which doesn't depend on it.
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
      self.init(.input, problem.description, remedy: "`verify start` prints the id; it is kept for a day")
    case .keys: self.init(.configuration, problem.description, remedy: "put the key it was made with back")
    case .ended, .input, .proof, .reused: self.init(.input, problem.description)
    }
  }
}
