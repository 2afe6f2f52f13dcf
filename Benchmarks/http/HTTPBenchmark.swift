internal import Glibc
internal import PabalCore
internal import PabalHTTP
internal import PabalMessages
internal import PabalStorage

/// `bench-http CONFIG [SPEED]`: a verification service over HTTP, which prints its port first of all.
///
/// Commands on standard input, each answered with a number: `starts SECONDS` and `checks SECONDS` by callers in this
/// process, how many a second; `rows`, how many mails the store holds. With SPEED its clock runs so many times as fast
/// as the wall's, and its mail is sent to nowhere; without it the mail stays where it is.
@main struct HTTPBenchmark {
  static func main() async throws {
    let words = CommandLine.arguments
    let speed = words.count > 2 ? Int(words[2]) : nil
    let clock = FastClock(speed: speed ?? 1)
    let configuration = try Configuration.read(words[1])
    let keys = try configuration.keys.keyring()
    let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
    let store = SQLiteVerifications(database)
    let outbox = SQLiteOutbox(database)
    let dispatcher = speed.map { _ in sending(outbox, keys, clock) }
    let (messages, sender) = (try MessageStore(configuration), try configuration.sender())
    let policy = configuration.verification.policy
    let service = VerificationService(
      store: store, keys: keys, composer: VerificationMessages(messages, from: sender), policy: policy,
      now: clock.now, dispatch: dispatcher)
    let parts = HTTPParts(
      verifications: service, door: FrontDoor(store: store, keys: keys, now: clock.now),
      words: MessageMails(messages, from: sender), access: configuration.serve)
    let http = HTTPService(
      attempts: FirstAttempts(), readiness: { Readiness(isReady: true) }, parts: { parts })
    guard let listen = configuration.serve.listen else { fatalError("the configuration listens nowhere") }
    let serving = Task { try await http.run(on: listen) { say("port \($0)") } }
    let dispatching = Task { await dispatcher?.run() }
    let housekeeping = VerificationHousekeeping(store: store, policy: policy, now: clock.now)
    let tidying = Task {
      while !Task.isCancelled {
        await clock.sleep(.seconds(60))
        try? await housekeeping.sweep()
      }
    }

    let direct = DirectCallers(service)
    // A line that doesn't come must hold no thread that others need.
    let reader = WorkerThreads(count: 1)
    while let line = await reader.run({ readLine() }) {
      let words = line.split(separator: " ")
      let seconds = words.dropFirst().first.flatMap { Double($0) } ?? 1
      switch words.first {
      case "starts": say("\(await direct.starts(seconds))")
      case "checks": say("\(await direct.checks(seconds))")
      case "rows":
        let view = try await outbox.look(OutboxQuery(limit: 0, withCounts: true))
        say("\(view.counts.values.reduce(0, +))")
      default: say("?")
      }
    }
    tidying.cancel()
    await http.finish()
    try await serving.value
    await dispatcher?.finish()
    await dispatching.value
    database.close()
  }

  private static func sending(_ outbox: SQLiteOutbox, _ keys: Keyring, _ clock: FastClock) -> Dispatcher {
    var rules = DispatcherRules()
    // A clock that races must not take a mail from this process while it sends it.
    rules.leaseDuration = .seconds(3_600)
    rules.pollInterval = .seconds(60)
    return Dispatcher(
      outbox, sealing: keys, rules: rules,
      surroundings: Dispatcher.Surroundings(now: clock.now, sleep: clock.sleep),
      route: { [DispatchStop("nowhere", Nowhere())] })
  }
}

/// Takes every mail and sends it nowhere.
private struct Nowhere: Transport {
  func send(_ mail: Mail) async -> Receipt { Receipt(.sent, for: mail.envelope) }
}

private func say(_ line: String) {
  // Not by stdio: it would wait for whoever reads a line meanwhile.
  let octets = Array("\(line)\n".utf8)
  _ = write(STDOUT_FILENO, octets, octets.count)
}
