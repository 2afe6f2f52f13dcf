internal import Glibc
internal import PabalCore
internal import PabalStorage
internal import Synchronization

/// Compares durable adds by 64 concurrent callers with sequential writes and fdatasyncs.
struct CommitBenchmark {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  /// Returns the medians of `rounds` alternating measurements, and of their ratio.
  func run(rounds: Int, seconds: Double) async throws(StorageError) -> (
    baseline: Double, adds: Double, ratio: Double
  ) {
    let database = try SQLiteDatabase("\(directory)/commit.sqlite", keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    let content = sealedMail()
    let count = Mutex(0)
    var baselines: [Double] = []
    var adds: [Double] = []
    for _ in 0..<rounds {
      baselines.append(baseline(content, seconds))
      adds.append(await CommitBenchmark.add(to: outbox, content, seconds, count))
    }
    database.close()
    return (median(baselines), median(adds), median(zip(adds, baselines).map { $0 / $1 }))
  }

  /// Returns the number of sequential writes with fdatasync a second.
  func baseline(_ content: [UInt8], _ seconds: Double) -> Double {
    let path = "\(directory)/floor"
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer {
      close(file)
      unlink(path)
    }
    let began = now()
    var count = 0
    while now() - began < seconds {
      guard write(file, content, content.count) == content.count, fdatasync(file) == 0 else { exit(74) }
      count += 1
    }
    return Double(count) / (now() - began)
  }

  private static func add(
    to outbox: SQLiteOutbox, _ content: [UInt8], _ seconds: Double, _ count: borrowing Mutex<Int>
  ) async -> Double {
    let numbers = count.withLock { count in
      // Each round and caller has numbers of its own because ids must be unique.
      count += 1
      return count * 10_000_000
    }
    return await ConcurrentCallers.rate(seconds) { caller, iteration in
      try await outbox.add([waitingMail(numbers + caller * 100_000 + iteration, content)])
    }
  }
}
