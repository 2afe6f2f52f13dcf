internal import Glibc
internal import PabalCore
internal import PabalHTTP
internal import PabalMessages
internal import PabalStorage
internal import Synchronization

/// `bench-http CONFIG [SPEED]`: a verification service over HTTP, which prints its port first.
///
/// It reads commands from standard input and answers each with a number: `starts SECONDS` and `checks SECONDS` measure
/// the operations per second of callers in this process, and `rows` counts the mails in the store. With SPEED, the clock
/// runs SPEED times as fast as the wall clock and the mail is discarded; without it, the mail stays in the outbox.
@main struct HTTPBenchmark {
  static func main() async throws {
    let arguments = CommandLine.arguments
    let speed = arguments.count > 2 ? Int(arguments[2]) : nil
    let clock = AcceleratedClock(speed: speed ?? 1)
    let configuration = try Configuration.read(arguments[1])
    let keys = try configuration.keys.keyring()
    let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
    let store = SQLiteVerificationStore(database)
    let outbox = SQLiteOutbox(database)
    let dispatcher = speed.map { _ in makeDispatcher(outbox, keys, clock) }
    let (messages, sender) = (try MessageStore(configuration), try configuration.sender())
    let policy = configuration.verification.policy
    let service = VerificationService(
      store: store, keys: keys, composer: StoredVerificationComposer(messages, from: sender), policy: policy,
      now: clock.now, dispatch: dispatcher)
    let dependencies = HTTPDependencies(
      verifications: service, submission: MailSubmission(store: store, keys: keys, now: clock.now),
      composer: StoredMessageComposer(messages, from: sender), access: configuration.serve)
    let http = HTTPServer(
      attempts: AttemptWaiters(), readiness: { Readiness(.ready) }, dependencies: { dependencies })
    guard let listen = configuration.serve.listen else {
      fatalError("the configuration has no address to listen on")
    }
    let serving = Task { try await http.run(on: listen) { printLine("port \($0)") } }
    let dispatching = Task { await dispatcher?.run() }
    let verificationCleanup = VerificationCleanup(store: store, policy: policy, now: clock.now)
    let cleanup = Task {
      while !Task.isCancelled {
        await clock.sleep(.seconds(60))
        try? await verificationCleanup.sweep()
      }
    }

    let callers = InProcessCallers(service)
    // A thread of its own, because waiting for a line must not block one of Swift's threads.
    let reader = WorkerThreads(count: 1)
    while let line = await reader.run({ readLine() }) {
      let fields = line.split(separator: " ")
      let seconds = fields.dropFirst().first.flatMap { Double($0) } ?? 1
      switch fields.first {
      case "starts": printLine("\(await callers.starts(seconds))")
      case "checks": printLine("\(await callers.checks(seconds))")
      case "rows":
        let view = try await outbox.read(OutboxQuery(limit: 0, withCounts: true))
        printLine("\(view.counts.values.reduce(0, +))")
      default: printLine("?")
      }
    }
    cleanup.cancel()
    await http.finish()
    try await serving.value
    await dispatcher?.finish()
    await dispatching.value
    database.close()
  }

  private static func makeDispatcher(_ outbox: SQLiteOutbox, _ keys: Keyring, _ clock: AcceleratedClock)
    -> Dispatcher
  {
    var options = DispatcherOptions()
    // Long, because leases must not expire on the accelerated clock while a mail is being sent.
    options.leaseDuration = .seconds(3_600)
    options.pollInterval = .seconds(60)
    return Dispatcher(
      outbox, sealing: keys, options: options,
      dependencies: Dispatcher.Dependencies(now: clock.now, sleep: clock.sleep),
      route: { [DispatchTransport("nowhere", NullTransport())] })
  }
}

/// Accepts every mail and discards it.
private struct NullTransport: Transport {
  func send(_ mail: Mail) async -> Receipt { Receipt(.sent, for: mail.envelope) }
}

private func printLine(_ line: String) {
  // Not with stdio, whose lock is held by the thread that reads a line.
  let bytes = Array("\(line)\n".utf8)
  _ = write(STDOUT_FILENO, bytes, bytes.count)
}

/// 64 callers of a service in the same process, each of which waits for its result before the next call.
final class InProcessCallers: Sendable {
  private static let count = 64
  private let service: VerificationService
  private let number = Atomic(0)
  private let started = Mutex<[String]>([])

  init(_ service: VerificationService) { self.service = service }

  /// Returns the number of starts per second, measured over `seconds`.
  func starts(_ seconds: Double) async -> Int {
    await rate(seconds) { [self] in
      let name = number.add(1, ordering: .relaxed).newValue
      let verification = try await service.start(to: "own\(name)@example.com", client: "127.0.0.1")
      started.withLock { $0.append(verification.id) }
    }
  }

  /// Returns the number of checks with a wrong code per second, on verifications that were started here.
  func checks(_ seconds: Double) async -> Int {
    let ids = started.withLock { $0 }
    let next = Atomic(0)
    return await rate(seconds) { [self] in
      let index = next.add(1, ordering: .relaxed).oldValue
      _ = try await service.check(ids[index % ids.count], code: "000000", client: "127.0.0.1")
    }
  }

  private func rate(_ seconds: Double, _ work: @escaping @Sendable () async throws -> Void) async -> Int {
    let began = ContinuousClock.now
    let done = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<InProcessCallers.count {
        group.addTask {
          var count = 0
          while began.duration(to: .now) < .seconds(seconds) {
            do {
              try await work()
            } catch {
              fatalError("\(error)")
            }
            count += 1
          }
          return count
        }
      }
      return await group.reduce(0, +)
    }
    return Int(Double(done) / (began.duration(to: .now) / .seconds(1)))
  }
}

/// A clock that runs `speed` times as fast as the wall clock.
struct AcceleratedClock: Sendable {
  private let speed: Int
  private let epoch = Timestamp.now()

  init(speed: Int) { self.speed = speed }

  func now() -> Timestamp { epoch + (Timestamp.now() - epoch) * speed }

  func sleep(_ duration: Duration) async { try? await Task.sleep(for: duration / speed) }
}
