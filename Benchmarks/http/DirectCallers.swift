internal import PabalCore
internal import Synchronization

/// 64 callers that ask a service in its own process, each waiting for its answer before it asks again.
final class InProcessCallers: Sendable {
  private static let count = 64
  private let service: VerificationService
  private let number = Atomic(0)
  private let started = Mutex<[String]>([])

  init(_ service: VerificationService) { self.service = service }

  /// Starts a second, over so many seconds.
  func starts(_ seconds: Double) async -> Int {
    await rate(seconds) { [self] in
      let name = number.add(1, ordering: .relaxed).newValue
      let verification = try await service.start(to: "own\(name)@example.com", client: "127.0.0.1")
      started.withLock { $0.append(verification.id) }
    }
  }

  /// Checks of wrong codes a second, of what was started here.
  func checks(_ seconds: Double) async -> Int {
    let ids = started.withLock { $0 }
    let next = Atomic(0)
    return await rate(seconds) { [self] in
      let index = next.add(1, ordering: .relaxed).oldValue
      _ = try await service.check(ids[index % ids.count], code: "000000", client: "127.0.0.1")
    }
  }

  private func rate(_ seconds: Double, _ work: @escaping @Sendable () async throws -> Void) async -> Int {
    let began = ContinuousClock.now
    let done = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<InProcessCallers.count {
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
