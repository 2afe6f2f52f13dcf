import Glibc
import PabalCore
import Synchronization

/// Sends many mails on several threads and summarizes the outcomes.
struct LoadTest {
  let route: Route
  let unknown: UnknownPolicy
  let count: Int
  let parallel: Int
  /// Returns the next mail; called on several threads at once.
  let mail: @Sendable () throws(CommandError) -> Mail

  /// The summary of a load test, as printed by `send --count --json`.
  struct Summary: Encodable {
    let count: Int
    let outcomes: [String: Int]
    let seconds: Double
    let perSecond: Double
    let p50: OrNull<Double>
    let p99: OrNull<Double>
    /// The first reply of each outcome except `sent`.
    let replies: [String: String]

    enum CodingKeys: String, CodingKey {
      case count = "count"
      case outcomes = "outcomes"
      case seconds = "seconds"
      case replies = "replies"
      case perSecond = "per_second"
      case p50 = "p50_ms"
      case p99 = "p99_ms"
    }
  }

  private struct Tally: Sendable {
    // `sent` has a counter of its own because nearly every mail is sent, and time spent here lowers the rate.
    private var sent = 0
    private var others: [String: Int] = [:]
    private(set) var replies: [String: String] = [:]
    private(set) var latencies = LatencyHistogram()
    private(set) var worst: Outcome?

    var outcomes: [String: Int] {
      sent == 0 ? others : others.merging([Outcome.sent.name: sent], uniquingKeysWith: +)
    }

    mutating func add(_ delivery: Delivery, _ duration: Duration) {
      latencies.record(duration)
      let receipt = delivery.receipt
      guard receipt.outcome != .sent else {
        sent += 1
        return
      }
      others[receipt.outcome.name, default: 0] += 1
      if replies[receipt.outcome.name] == nil { replies[receipt.outcome.name] = receipt.reply }
      worst = Outcome.combined([worst, receipt.outcome].compactMap { $0 })
    }

    mutating func add(_ other: Tally) {
      sent += other.sent
      others.merge(other.others, uniquingKeysWith: +)
      replies.merge(other.replies) { first, _ in first }
      latencies.add(other.latencies)
      worst = Outcome.combined([worst, other.worst].compactMap { $0 })
    }
  }

  /// Sends all mails; blocks. Returns the summary and the worst outcome.
  func run() throws(CommandError) -> (Summary, Outcome) {
    let next = Atomic(0)
    let tally = Mutex(Tally())
    let failure = Mutex<CommandError?>(nil)
    let startTime = ContinuousClock.now
    let work: @Sendable () -> Void = {
      var own = Tally()
      while next.add(1, ordering: .relaxed).oldValue < count {
        let mail: Mail
        do throws(CommandError) {
          mail = try self.mail()
        } catch {
          failure.withLock { $0 = $0 ?? error }
          next.store(count, ordering: .relaxed)
          break
        }
        let start = ContinuousClock.now
        let delivery = route.deliver(mail, unknownPolicy: unknown)
        own.add(delivery, ContinuousClock.now - start)
      }
      tally.withLock { $0.add(own) }
    }
    let threads = (1..<max(parallel, 1)).compactMap { _ in BlockingThread(work) }
    let reporter = BlockingThread { self.reportProgress(next, since: startTime) }
    work()
    for thread in threads { thread.join() }
    let seconds = (ContinuousClock.now - startTime).seconds
    next.store(.max / 2, ordering: .relaxed)
    reporter?.join()
    if let failure = failure.withLock({ $0 }) { throw failure }

    return tally.withLock { tally in
      let summary = Summary(
        count: tally.latencies.total, outcomes: tally.outcomes, seconds: seconds,
        perSecond: seconds > 0 ? Double(tally.latencies.total) / seconds : 0,
        p50: OrNull(tally.latencies.milliseconds(at: 0.5)),
        p99: OrNull(tally.latencies.milliseconds(at: 0.99)),
        replies: tally.replies)
      return (summary, tally.worst ?? .sent)
    }
  }

  private func reportProgress(_ next: borrowing Atomic<Int>, since startTime: ContinuousClock.Instant) {
    guard Terminal.showsProgress else { return }
    var done = 0
    while done < count {
      usleep(200_000)
      done = min(next.load(ordering: .relaxed), count)
      let seconds = (ContinuousClock.now - startTime).seconds
      Terminal.progress("\(done) of \(count), \(Int(Double(done) / seconds)) per second")
    }
    Terminal.progress("")
  }
}

/// A thread outside the concurrency pool, which may block.
private final class BlockingThread: Sendable {
  private let thread: pthread_t

  init?(_ work: @escaping @Sendable () -> Void) {
    final class Body {
      let work: @Sendable () -> Void
      init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(work)).toOpaque()
    let failed = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, body)
    guard failed == 0 else {
      Unmanaged<Body>.fromOpaque(body).release()
      return nil
    }
    self.thread = thread
  }

  func join() { pthread_join(thread, nil) }
}

extension LoadTest.Summary {
  /// The summary for a person.
  var text: String {
    func rounded(_ value: Double, _ digits: Double) -> Double { (value * digits).rounded() / digits }
    var lines = [
      "\(counted(count, "mail")) in \(rounded(seconds, 100)) s, \(rounded(perSecond, 10)) per second"
    ]
    if let p50 = p50.value, let p99 = p99.value {
      lines.append("latency: median \(rounded(p50, 100)) ms, 99th percentile \(rounded(p99, 100)) ms")
    }
    for (outcome, number) in outcomes.sorted(by: { $0.value > $1.value }) {
      let reply = replies[outcome].map { ": \($0.replacing("\n", with: " "))" } ?? ""
      lines.append("\(outcome): \(number)\(reply)")
    }
    return lines.joined(separator: "\n")
  }
}

/// A histogram of durations with logarithmic buckets: 8 KiB, with a relative error of at most 1/16.
struct LatencyHistogram: Sendable {
  private var counts = [Int](repeating: 0, count: 64 * 16)
  private(set) var total = 0

  /// Counts one duration.
  mutating func record(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = UInt64(clamping: seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    counts[Self.bucket(nanoseconds)] += 1
    total += 1
  }

  /// Adds the counts of another thread.
  mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
  }

  /// Returns the quantile `share` (0 to 1) in milliseconds; `nil` if nothing was recorded.
  func milliseconds(at share: Double) -> Double? {
    guard total > 0 else { return nil }
    var left = max(1, Int((Double(total) * share).rounded(.up)))
    for (bucket, count) in counts.enumerated() {
      left -= count
      if left <= 0 { return Double(Self.middle(bucket)) / 1e6 }
    }
    return nil
  }

  private static func bucket(_ value: UInt64) -> Int {
    guard value >= 16 else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return (exponent - 3) * 16 + Int((value >> UInt64(exponent - 4)) & 15)
  }

  private static func middle(_ bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    let exponent = UInt64(bucket / 16 + 3)
    let low = (UInt64(16 + bucket % 16)) << (exponent - 4)
    return low + (1 << (exponent - 4)) / 2
  }
}
