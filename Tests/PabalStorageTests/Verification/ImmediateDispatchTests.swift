import PabalCore
import PabalStorage
import PabalTesting
import Synchronization
import Testing

/// Starts in a process with a dispatcher.
@Suite struct ImmediateDispatchTests {
  /// Records its calls.
  private final class RecordingDispatch: ImmediateDispatch {
    let lines = Mutex<[String]>([])
    let handedOver = Mutex<[OutboxEntry]>([])
    let isBusy: Bool

    init(isBusy: Bool = false) { self.isBusy = isBusy }

    func reserve(_ lane: Lane, unknown: UnknownPolicy, route: String) -> OutboxEntry.Lease? {
      lines.withLock { $0.append("reserve \(lane)") }
      return isBusy ? nil : OutboxEntry.Lease(owner: "me", until: Timestamp(milliseconds: 1_800_000_000_000))
    }

    func handOver(_ entry: OutboxEntry, _ mail: Mail) {
      lines.withLock { $0.append("handOver") }
      handedOver.withLock { $0.append(entry) }
    }

    func release() { lines.withLock { $0.append("release") } }
    func wake() { lines.withLock { $0.append("wake") } }
  }

  private func service(_ dispatch: any ImmediateDispatch) -> (VerificationService, MemoryOutbox) {
    let outbox = MemoryOutbox()
    let clock = ManualClock()
    let service = VerificationService(
      store: MemoryVerificationStore(outbox: outbox), keys: Keyring(current: .random()),
      composer: RecordingMailComposer(),
      now: { clock.now }, dispatch: dispatch)
    return (service, outbox)
  }

  @Test func `a dispatcher with room receives the mail already claimed`() async throws {
    let dispatch = RecordingDispatch()
    let (service, outbox) = service(dispatch)
    let started = try await service.start(to: "kim@example.com")
    #expect(started.delivery?.state == .sending)
    let entries = try await outbox.read(OutboxQuery(withContent: true)).entries
    #expect(entries == dispatch.handedOver.withLock { $0 })
    #expect(entries.map(\.state) == [.sending])
    #expect(dispatch.lines.withLock { $0 } == ["reserve code", "handOver"])
  }

  @Test func `a busy dispatcher is woken`() async throws {
    let dispatch = RecordingDispatch(isBusy: true)
    let (service, outbox) = service(dispatch)
    _ = try await service.start(to: "kim@example.com")
    #expect(try await outbox.read(OutboxQuery()).entries.map(\.state) == [.waiting])
    #expect(dispatch.lines.withLock { $0 } == ["reserve code", "wake"])
  }

  @Test func `a start that the transaction refuses releases the lease, and the next one takes none`()
    async throws
  {
    let dispatch = RecordingDispatch()
    let (outbox, keys, clock) = (MemoryOutbox(), Keyring(current: .random()), ManualClock())
    let store = MemoryVerificationStore(outbox: outbox)
    func make(_ dispatch: RecordingDispatch?) -> VerificationService {
      VerificationService(
        store: store, keys: keys, composer: RecordingMailComposer(), now: { clock.now }, dispatch: dispatch)
    }
    // The other one stands for another process, whose limits this one doesn't know.
    let (service, other) = (make(dispatch), make(nil))
    let started = try await other.start(to: "kim@example.com")
    for _ in 0..<2 {
      await expectError(.limited(.cooldown, retryAfter: .seconds(60))) {
        try await service.start(to: "kim@example.com")
      }
    }
    await expectError(.limited(.cooldown, retryAfter: .seconds(60))) { try await service.resend(started.id) }
    #expect(try await outbox.read(OutboxQuery()).entries.count == 1)
    #expect(dispatch.lines.withLock { $0 } == ["reserve code", "release"])
  }

  /// Rejects every recipient.
  private struct RejectingTransport: Transport {
    func send(_ mail: Mail) async -> Receipt {
      Receipt(.rejected, for: mail.envelope, reply: "550 5.1.1 no such user")
    }
  }

  @Test(arguments: VerificationBackend.allCases)
  func `a rejected mail shows in the status and leaves no cooldown`(_ backend: VerificationBackend)
    async throws
  {
    try await backend.withFixture { fixture in
      var dependencies = Dispatcher.Dependencies()
      dependencies.now = { [clock = fixture.clock] in clock.now }
      let dispatcher = Dispatcher(fixture.outbox, sealing: fixture.keys, dependencies: dependencies) {
        [DispatchTransport("smtp", RejectingTransport())]
      }
      let started = try await fixture.start()
      let mail = try #require(started.delivery?.mail)
      #expect(try await dispatcher.deliver(mail)?.state == .rejected)
      let delivery = try await fixture.service.status(started.id).delivery
      #expect(delivery?.state == .rejected && delivery?.status == "550 5.1.1")
      _ = try await fixture.start()
    }
  }
}
