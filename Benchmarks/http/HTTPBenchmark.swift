internal import Glibc
internal import PabalCore
internal import PabalHTTP
internal import PabalMessages
internal import PabalStorage
internal import Synchronization

/// `bench-http CONFIG [SPEED]`: a verification service over HTTP that is also asked directly, by commands on standard
/// input: `starts SECONDS` and `checks SECONDS` by 64 callers, answered with how many a second; `rows`, answered with
/// what the store holds. Its clock runs SPEED times as fast as the wall's. First of all it prints its port.
@main struct HTTPBenchmark {
  private static let callers = 64

  static func main() async throws {
    let words = CommandLine.arguments
    let speed = words.count > 2 ? Int64(words[2]) ?? 1 : 1
    let epoch = Timestamp.now().milliseconds
    let now: @Sendable () -> Timestamp = {
      Timestamp(milliseconds: epoch + (Timestamp.now().milliseconds - epoch) * speed)
    }
    let configuration = try Configuration.read(words[1])
    let keys = try configuration.keys.keyring()
    let database = try SQLiteDatabase(configuration.storage.path, keys: keys)
    let store = SQLiteVerifications(database)
    let (messages, sender) = (try MessageStore(configuration), try configuration.sender())
    let policy = configuration.verification.policy
    let service = VerificationService(
      store: store, keys: keys, words: VerificationMessages(messages, from: sender), policy: policy, now: now)
    let parts = HTTPParts(
      verifications: service, door: FrontDoor(store: store, keys: keys, now: now),
      words: MessageMails(messages, from: sender), access: configuration.serve)
    let http = HTTPService(
      attempts: FirstAttempts(), readiness: { Readiness(isReady: true) }, parts: { parts })
    let outbox = SQLiteOutbox(database)
    let housekeeping = VerificationHousekeeping(store: store, policy: policy, now: now)
    let tidying = Task {
      while (try? await Task.sleep(for: .seconds(60) / Double(speed))) != nil {
        try? await housekeeping.sweep()
        while let left = try? await outbox.sweep(OutboxSweep(now: now())), left.isUnfinished {}
      }
    }
    guard let listen = configuration.serve.listen else { fatalError("the configuration listens nowhere") }
    let serving = Task { try await http.run(on: listen) { say("port \($0)") } }
    let commands = Task.detached { [service] in
      while let line = readLine() {
        let words = line.split(separator: " ")
        let seconds = words.dropFirst().first.flatMap { Double($0) } ?? 1
        switch words.first {
        case "starts": say("\(await starts(service, seconds))")
        case "checks": say("\(await checks(service, seconds))")
        case "rows":
          let view = try? await outbox.look(OutboxQuery(limit: 0, withCounts: true))
          say("\(view?.counts.values.reduce(0, +) ?? -1)")
        default: say("?")
        }
      }
    }
    await commands.value
    tidying.cancel()
    await http.finish()
    try await serving.value
    database.close()
  }

  private static let number = Atomic(0)
  private static let started = Mutex<[String]>([])

  private static func starts(_ service: VerificationService, _ seconds: Double) async -> Int {
    await rate(seconds) {
      let name = number.add(1, ordering: .relaxed).newValue
      let verification = try await service.start(to: "own\(name)@example.com")
      started.withLock { $0.append(verification.id) }
    }
  }

  private static func checks(_ service: VerificationService, _ seconds: Double) async -> Int {
    let ids = started.withLock { $0 }
    let next = Atomic(0)
    return await rate(seconds) {
      let index = next.add(1, ordering: .relaxed).oldValue
      _ = try await service.check(ids[index % ids.count], code: "000000")
    }
  }

  private static func rate(
    _ seconds: Double, _ work: @escaping @Sendable () async throws -> Void
  ) async -> Int {
    let began = ContinuousClock.now
    let done = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<callers {
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

private func say(_ line: String) {
  print(line)
  fflush(nil)
}
