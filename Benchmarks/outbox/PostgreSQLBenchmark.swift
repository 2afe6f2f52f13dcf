internal import Glibc
internal import PabalCore
internal import PabalStorage
internal import Synchronization

/// `bench-outbox postgresql adds|starts|sent|latency PARAMETERS CALLERS SECONDS [RATE]` measures one node of a PostgreSQL
/// database and prints JSON. PARAMETERS are those of libpq, as in "host=/tmp/socket dbname=bench".
struct PostgreSQLBenchmark {
  private let kind: String
  private let settings: PostgreSQLSettings
  private let callers: Int
  private let seconds: Double
  private let rate: Double

  init?(_ arguments: [String]) {
    guard arguments.count >= 4, let callers = Int(arguments[2]), let seconds = Double(arguments[3]) else {
      return nil
    }
    kind = arguments[0]
    settings = PostgreSQLSettings(
      parameters: arguments[1].split(separator: " ").map { word in
        let parts = word.split(separator: "=", maxSplits: 1)
        return (keyword: String(parts[0]), value: String(parts[parts.count - 1]))
      }, place: "bench")
    self.callers = callers
    self.seconds = seconds
    rate = arguments.count > 4 ? Double(arguments[4]) ?? 0 : 0
  }

  func run() async throws(StorageError) {
    // The same key for all nodes and runs.
    guard let key = MasterKey(bytes: Array(repeating: 7, count: 32)) else { return }
    let keys = Keyring(current: key)
    let database = try PostgreSQLDatabase(settings, keys: keys)
    defer { database.close() }
    switch kind {
    case "adds": await adds(database)
    case "starts": await starts(database, keys, dispatches: false)
    case "sent": await starts(database, keys, dispatches: true)
    default: await latency(database, keys)
    }
  }

  /// Durable adds of ready-made mail.
  private func adds(_ database: PostgreSQLDatabase) async {
    let content = sealedMail()
    let number = Atomic(Int(getpid()) * 10_000_000)
    let made = await ConcurrentCallers.rate(seconds, callers: callers) { _, _ in
      try await database.outbox.add([waitingMail(number.add(1, ordering: .relaxed).newValue, content)])
    }
    print("{\"a_second\":\(Int(made))}")
  }

  /// Starts of verifications, whose mail is sent by a transport in memory if `dispatches` is set. Then what was sent counts.
  private func starts(_ database: PostgreSQLDatabase, _ keys: Keyring, dispatches: Bool) async {
    let sent = Atomic(0)
    let transport = CountingTransport { sent.add($0, ordering: .relaxed) }
    var options = DispatcherOptions()
    options.maxConcurrentAttempts = 64
    let dispatcher = Dispatcher(
      database.outbox, sealing: keys, options: options, route: { [DispatchTransport("bench", transport)] })
    let loop = dispatches ? Task { await dispatcher.run() } : nil
    let service = VerificationService(
      store: database.verificationStore, keys: keys, composer: BenchmarkMailComposer(),
      policy: unlimited(), dispatch: dispatches ? dispatcher : nil)
    let number = Atomic(Int(getpid()) * 10_000_000)
    let made = await ConcurrentCallers.rate(seconds, callers: callers) { _, _ in
      _ = try await service.start(to: "user\(number.add(1, ordering: .relaxed).newValue)@example.com")
    }
    let count = Double(sent.load(ordering: .relaxed)) / seconds
    await dispatcher.finish()
    await loop?.value
    print("{\"a_second\":\(Int(dispatches ? min(made, count) : made))}")
  }

  /// From the call of a start to the transport's `send`, at `rate` starts a second.
  private func latency(_ database: PostgreSQLDatabase, _ keys: Keyring) async {
    let latencies = Latencies()
    let transport = CountingTransport { _ in }
    transport.observe { mail in latencies.end(mail.envelope.recipients.first?.description ?? "") }
    let dispatcher = Dispatcher(
      database.outbox, sealing: keys, route: { [DispatchTransport("bench", transport)] })
    let loop = Task { await dispatcher.run() }
    let service = VerificationService(
      store: database.verificationStore, keys: keys, composer: BenchmarkMailComposer(),
      policy: unlimited(), dispatch: dispatcher)
    let first = Int(getpid()) * 10_000_000
    let total = Int(rate * seconds)
    let start = now()
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<total {
        let wait = start + Double(number) / rate - now()
        if wait > 0 { try? await Task.sleep(for: .seconds(wait)) }
        group.addTask {
          let address = "user\(first + number)@example.com"
          latencies.begin(address)
          _ = try? await service.start(to: address)
        }
      }
    }
    await dispatcher.finish()
    await loop.value
    let sorted = latencies.all.sorted()
    let p99 = sorted.isEmpty ? 0 : sorted[min(sorted.count * 99 / 100, sorted.count - 1)]
    print("{\"count\":\(sorted.count),\"median_ms\":\(median(sorted)),\"p99_ms\":\(p99)}")
  }

  private func unlimited() -> VerificationPolicy {
    var policy = VerificationPolicy()
    policy.quota = nil
    return policy
  }
}

/// The times from starts to their sends.
private final class Latencies: Sendable {
  private let began = Mutex<[String: Double]>([:])
  private let times = Mutex<[Double]>([])

  func begin(_ address: String) { began.withLock { $0[address] = now() } }

  func end(_ address: String) {
    guard let start = began.withLock({ $0[address] }) else { return }
    times.withLock { $0.append((now() - start) * 1_000) }
  }

  /// All times in milliseconds.
  var all: [Double] { times.withLock { $0 } }
}

/// A transport in memory.
private final class CountingTransport: Transport {
  private let count: @Sendable (Int) -> Void
  private let observer = Mutex<(@Sendable (Mail) -> Void)?>(nil)

  init(_ count: @escaping @Sendable (Int) -> Void) { self.count = count }

  func observe(_ body: @escaping @Sendable (Mail) -> Void) { observer.withLock { $0 = body } }

  func send(_ mail: Mail) async -> Receipt {
    count(1)
    observer.withLock { $0 }?(mail)
    return Receipt(.sent, for: mail.envelope)
  }
}
