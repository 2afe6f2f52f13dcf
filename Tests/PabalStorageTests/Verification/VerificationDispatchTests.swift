import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// A start that has a dispatcher beside it.
@Suite struct VerificationDispatchTests {
  /// Takes down what it is asked.
  private final class Notebook: VerificationDispatch {
    let lines = Mutex<[String]>([])
    let taken = Mutex<[OutboxEntry]>([])
    let isBusy: Bool

    init(isBusy: Bool = false) { self.isBusy = isBusy }

    func reserve(_ lane: Lane, unknown: UnknownPolicy) -> OutboxEntry.Lease? {
      lines.withLock { $0.append("reserve \(lane)") }
      return isBusy ? nil : OutboxEntry.Lease(owner: "me", until: Timestamp(milliseconds: 1_800_000_000_000))
    }

    func handOver(_ entry: OutboxEntry, _ mail: Mail) {
      lines.withLock { $0.append("hand over") }
      taken.withLock { $0.append(entry) }
    }

    func relinquish() { lines.withLock { $0.append("relinquish") } }
    func wake() { lines.withLock { $0.append("wake") } }
  }

  private func service(_ dispatch: any VerificationDispatch) -> (VerificationService, MemoryOutbox) {
    let outbox = MemoryOutbox()
    let clock = SetClock()
    let service = VerificationService(
      store: MemoryVerifications(outbox: outbox), keys: Keyring(current: .random()), composer: Letters(),
      now: { clock.now }, dispatch: dispatch)
    return (service, outbox)
  }

  @Test func `a free dispatcher gets the mail in the commit that adds it`() async throws {
    let notebook = Notebook()
    let (service, outbox) = service(notebook)
    let started = try await service.start(to: "kim@example.com")
    #expect(started.delivery?.state == .sending)
    let entries = try await outbox.look(OutboxQuery(withContent: true)).entries
    #expect(entries == notebook.taken.withLock { $0 })
    #expect(entries.map(\.state) == [.sending])
    #expect(notebook.lines.withLock { $0 } == ["reserve code", "hand over"])
  }

  @Test func `a busy one is woken`() async throws {
    let notebook = Notebook(isBusy: true)
    let (service, outbox) = service(notebook)
    _ = try await service.start(to: "kim@example.com")
    #expect(try await outbox.look(OutboxQuery()).entries.map(\.state) == [.waiting])
    #expect(notebook.lines.withLock { $0 } == ["reserve code", "wake"])
  }

  @Test func `a refused start gives the lease back`() async throws {
    let notebook = Notebook()
    let (service, outbox) = service(notebook)
    let started = try await service.start(to: "kim@example.com")
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
      try await service.start(to: "kim@example.com")
    }
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await service.resend(started.id) }
    #expect(try await outbox.look(OutboxQuery()).entries.count == 1)
    #expect(
      notebook.lines.withLock { $0 }
        == ["reserve code", "hand over", "reserve code", "relinquish", "reserve code", "relinquish"])
  }

  /// Refuses every recipient for good.
  private struct Refusing: Transport {
    func send(_ mail: Mail) async -> Receipt {
      Receipt(.rejected, for: mail.envelope, reply: "550 5.1.1 no such user")
    }
  }

  @Test(arguments: VerificationStores.allCases)
  func `a failed send is told and leaves no cooldown`(_ stores: VerificationStores) async throws {
    try await stores.withDesk { desk in
      var surroundings = Dispatcher.Surroundings()
      surroundings.now = { [clock = desk.clock] in clock.now }
      let dispatcher = Dispatcher(desk.outbox, sealing: desk.keys, surroundings: surroundings) {
        [DispatchStop("smtp", Refusing())]
      }
      let started = try await desk.start()
      let mail = try #require(started.delivery?.mail)
      #expect(try await dispatcher.deliver(mail)?.state == .rejected)
      let delivery = try await desk.service.status(started.id).delivery
      #expect(delivery?.state == .rejected && delivery?.status == "550 5.1.1")
      _ = try await desk.start()
    }
  }
}
