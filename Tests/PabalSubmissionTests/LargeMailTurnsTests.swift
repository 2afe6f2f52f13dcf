import PabalTesting
import Synchronization
import Testing

@testable import PabalSubmission

/// Large mails that are stored at the same time.
@Suite(.timeLimit(.minutes(5))) struct LargeMailTurnsTests {
  /// Mails as they are being stored.
  private final class Storing: Sendable {
    let turns = LargeMailTurns()
    let gate = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let done = Mutex<[String]>([])
    let running = Mutex((now: 0, most: 0))

    /// Stores a mail.
    func store(_ name: String, size: Int) async {
      await turns.run(size: size) {
        running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
        await Task.yield()
        running.withLock { $0.now -= 1 }
        done.withLock { $0.append(name) }
      }
    }

    /// Stores a large mail once the gate is opened.
    func storeBehindGate() async {
      await turns.run(size: LargeMailTurns.threshold) {
        await withCheckedContinuation { continuation in gate.withLock { $0 = continuation } }
        done.withLock { $0.append("first") }
      }
    }
  }

  private let storing = Storing()

  @Test func `large mails are stored one after the other, and small ones meanwhile`() async throws {
    let first = Task { [storing] in await storing.storeBehindGate() }
    try await until { storing.gate.withLock { $0 != nil } }
    let second = Task { [storing] in await storing.store("second", size: LargeMailTurns.threshold) }
    await storing.store("small", size: LargeMailTurns.threshold - 1)
    #expect(storing.done.withLock { $0 } == ["small"])
    storing.gate.withLock { $0?.resume() }
    await first.value
    await second.value
    #expect(storing.done.withLock { $0 } == ["small", "first", "second"])
  }

  @Test func `every large mail gets its turn, and never two at once`() async {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<50 {
        group.addTask { [storing] in await storing.store("large", size: 2 * LargeMailTurns.threshold) }
      }
    }
    #expect(storing.running.withLock { $0.most } == 1)
    #expect(storing.done.withLock { $0.count } == 50)
  }
}
