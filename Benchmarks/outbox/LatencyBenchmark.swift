internal import PabalCore
internal import PabalStorage
internal import Synchronization

/// Measures the time from adding a mail to the start of a transport's `send`, and of the commit alone.
struct LatencyBenchmark {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  /// Returns medians in milliseconds: the commit alone, from add to `send`, and their difference.
  func run(count: Int) async throws(StorageError) -> (commit: Double, begin: Double, over: Double) {
    let database = try SQLiteDatabase("\(directory)/latency.sqlite", keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    let transport = TimestampingTransport()
    let dispatcher = Dispatcher(
      outbox, sealing: BenchmarkSealing(), route: { [DispatchTransport("bench", transport)] })
    let loop = Task { await dispatcher.run() }
    let mail = Mail.bench()
    let content = OutboxContent(mail).bytes
    var commits: [Double] = []
    var begins: [Double] = []
    for number in 0..<count {
      let entry = waitingMail(number, content)
      var began = now()
      var reserved = await dispatcher.reserve(entry.lane, unknown: entry.unknown)
      while reserved == nil {
        // The dispatcher's loop hasn't loaded its transports yet.
        await Task.yield()
        began = now()
        reserved = await dispatcher.reserve(entry.lane, unknown: entry.unknown)
      }
      guard let lease = reserved else { continue }
      let claimed = entry.claimed(by: lease)
      try await outbox.add([claimed])
      commits.append((now() - began) * 1_000)
      await dispatcher.handOver(claimed, mail)
      begins.append((await transport.nextStart() - began) * 1_000)
    }
    await dispatcher.finish()
    await loop.value
    database.close()
    return (median(commits), median(begins), median(zip(begins, commits).map { $0 - $1 }))
  }
}

/// Leaves content unsealed because sealing isn't measured here.
struct BenchmarkSealing: ContentSealing {
  func seal(_ clear: [UInt8], id: String) -> [UInt8] { clear }
  func open(_ sealed: [UInt8], id: String) throws -> [UInt8] { sealed }
}

/// A transport that reports when its `send` began.
final class TimestampingTransport: Transport {
  private let times: AsyncStream<Double>
  private let put: AsyncStream<Double>.Continuation

  init() { (times, put) = AsyncStream.makeStream() }

  func send(_ mail: Mail) async -> Receipt {
    put.yield(now())
    return Receipt(.sent, for: mail.envelope)
  }

  /// Returns when the next `send` began.
  func nextStart() async -> Double {
    for await time in times { return time }
    return 0
  }
}

extension Mail {
  /// Returns a mail of the size of the shipped verification mail, about 7 KB.
  fileprivate static func bench() -> Mail {
    let bytes = Array("Subject: bench\r\n\r\n".utf8) + Array(repeating: UInt8(ascii: "x"), count: 7_000)
    do {
      let address = try Address("bob@example.org")
      guard let envelope = Envelope(sender: nil, recipients: [address]) else { fatalError("no recipient") }
      return Mail(
        id: "01JD0000000000000000000000", envelope: envelope, messageID: "", bytes: bytes,
        needsSMTPUTF8: false,
        needs8BitMIME: false)
    } catch {
      fatalError("\(error)")
    }
  }
}
