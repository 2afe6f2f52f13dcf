internal import Glibc
internal import PabalCore
internal import PabalStorage
internal import Synchronization

/// Measures starts and checks of verifications by 64 concurrent callers, in alternation with single commits.
struct VerificationBenchmark {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  /// Returns the medians of starts and checks a second, and of their ratios to `baseline`, single commits a second.
  func run(rounds: Int, seconds: Double, baseline: @Sendable () -> Double) async throws(StorageError) -> (
    starts: Double, startsRatio: Double, checks: Double, checksRatio: Double
  ) {
    let keys = Keyring(current: MasterKey.random())
    let database = try SQLiteDatabase("\(directory)/verification.sqlite", keys: keys)
    let service = VerificationService(
      store: SQLiteVerificationStore(database), keys: keys, composer: BenchmarkMailComposer())
    let number = Atomic(0)
    let started = Mutex<[String]>([])
    var starts: [(Double, Double)] = []
    var checks: [(Double, Double)] = []
    for _ in 0..<rounds {
      let commits = baseline()
      let made = await ConcurrentCallers.rate(seconds) { _, _ in
        // Each start has its own address because of the cooldown.
        let name = number.add(1, ordering: .relaxed).newValue
        let verification = try await service.start(to: "user\(name)@example.com")
        started.withLock { $0.append(verification.id) }
      }
      starts.append((made, made / commits))
      let next = Atomic(0)
      let ids = started.withLock { $0 }
      let checked = await ConcurrentCallers.rate(seconds) { _, _ in
        // Wrong codes, because counting the attempt is a write.
        let index = next.add(1, ordering: .relaxed).oldValue
        _ = try await service.check(ids[index % ids.count], code: "000000")
      }
      checks.append((checked, checked / commits))
      started.withLock { $0 = [] }
    }
    database.close()
    return (
      median(starts.map(\.0)), median(starts.map(\.1)), median(checks.map(\.0)), median(checks.map(\.1))
    )
  }
}

/// Composes a mail of about 2 KB, because rendering isn't measured here.
struct BenchmarkMailComposer: VerificationMailComposer {
  func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    let text = String(repeating: "The code is \(request.code ?? "").\n", count: 100)
    do throws(MailError) {
      let from = try Mailbox("Pabal <pabal@example.com>")
      let draft = MailDraft(from: from, to: [Mailbox(request.to)], subject: "bench", text: text)
      return VerificationMail(try draft.finish(identity: .now()))
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }
}
