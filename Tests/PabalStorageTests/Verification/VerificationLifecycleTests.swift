import PabalCore
import PabalStorage
import Testing

/// The effect of every action on a verification in every state.
@Suite struct VerificationTransitionTests {
  private enum Action: CaseIterable {
    case rightCode, wrongCodes, resend, cancel, redeem, newerStart, time, rejection
  }

  private static let steps: [VerificationState: [Action: VerificationState]] = [
    .pending: [
      .rightCode: .approved, .wrongCodes: .exhausted, .cancel: .cancelled, .newerStart: .superseded,
      .time: .expired, .rejection: .undeliverable,
    ],
    .approved: [.redeem: .consumed],
  ]

  /// The actions that lead from `pending` to a state.
  private static func path(to state: VerificationState) -> [Action] {
    switch state {
    case .pending: []
    case .approved: [.rightCode]
    case .consumed: [.rightCode, .redeem]
    case .exhausted: [.wrongCodes]
    case .expired: [.time]
    case .cancelled: [.cancel]
    case .superseded: [.newerStart]
    case .undeliverable: [.rejection]
    }
  }

  /// A verification under test.
  private final class Subject {
    let fixture: VerificationFixture
    let id: String
    let address: String
    var code: String
    var proof: String?

    init(_ fixture: VerificationFixture, _ address: String) async throws {
      self.fixture = fixture
      self.address = address
      id = try await fixture.start(address).id
      code = try fixture.code(for: address)
    }

    func perform(_ action: Action) async throws {
      switch action {
      case .rightCode:
        let result = try await fixture.service.check(id, code: code)
        if let proof = result.proof { self.proof = proof }
      case .wrongCodes:
        let number = try #require(Int(code))
        for step in 1...5 {
          let digits = String((number + step) % 1_000_000)
          _ = try await fixture.outcome(id, String(repeating: "0", count: 6 - digits.count) + digits)
        }
      case .resend:
        guard (try? await fixture.service.resend(id)) != nil else { return }
        code = try fixture.code(for: address)
      case .cancel: _ = try? await fixture.service.cancel(id)
      case .redeem: _ = try? await fixture.service.redeem(proof ?? "\(id).00000000000000000000000000000000")
      case .newerStart: _ = try await fixture.start(address)
      case .time:
        fixture.clock.advance(.seconds(600))
        _ = try await fixture.service.sweep()
      case .rejection:
        guard try await fixture.service.status(id).state == .pending else { return }
        try await fixture.end(fixture.service.status(id), .rejected, outcome: "rejected")
      }
    }
  }

  @Test(arguments: VerificationBackend.allCases, VerificationState.allCases)
  func `each action leads to the state in the table, or changes nothing`(
    _ backend: VerificationBackend, _ state: VerificationState
  ) async throws {
    try await backend.withFixture({
      $0.cooldown = .zero
      $0.recipient = []
    }) { fixture in
      for action in Action.allCases {
        let subject = try await Subject(fixture, "\(action)@example.com")
        for step in Self.path(to: state) { try await subject.perform(step) }
        #expect(try await fixture.service.status(subject.id).state == state)
        try await subject.perform(action)
        let after = try await fixture.service.status(subject.id)
        let expected = Self.steps[state]?[action] ?? state
        #expect(after.state == expected, "\(state) + \(action)")
        #expect(after.state == state || state.canTransition(to: after.state))
        // A final verification can't be resent.
        if after.state.isFinal { #expect(after.resendAt == nil && after.sendsRemaining == 0) }
      }
    }
  }
}

/// The contract of every verification store: retention.
@Suite struct VerificationRetentionTests {
  typealias Backend = VerificationBackend

  @Test(arguments: Backend.allCases)
  func `a final verification is kept for a day and then deleted`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let expired = try await fixture.start("a@example.com")
      fixture.clock.advance(.seconds(600))
      _ = try await fixture.service.sweep()
      #expect(try await fixture.service.status(expired.id).state == .expired)
      fixture.clock.advance(.seconds(86_399))
      #expect(try await fixture.service.sweep() == false)
      #expect(try await fixture.outcome(expired.id, fixture.code(for: "a@example.com")) == .expired)
      fixture.clock.advance(.seconds(1))
      _ = try await fixture.service.sweep()
      await expectError(.unknown) { try await fixture.service.status(expired.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `starts delete expired rows without a dispatcher`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      let first = try await fixture.start("first@example.com")
      fixture.clock.advance(.seconds(600 + 86_400))
      // One in sixteen calls sweeps, so the probability that none of 400 does is about 10⁻¹¹.
      for number in 0..<400 { _ = try await fixture.start("\(number)@example.com") }
      await expectError(.unknown) { try await fixture.service.status(first.id) }
    }
  }

  @Test(arguments: Backend.allCases)
  func `a cleanup deletes in steps until nothing is left`(_ backend: Backend) async throws {
    try await backend.withFixture { fixture in
      var ids: [String] = []
      for number in 0..<20 { ids.append(try await fixture.start("\(number)@example.com").id) }
      fixture.clock.advance(.seconds(600 + 86_400))
      let cleanup = VerificationCleanup(store: fixture.store, now: { fixture.clock.now })
      try await cleanup.sweep(limit: 3)
      for id in ids { await expectError(.unknown) { try await fixture.service.status(id) } }
      #expect(try await fixture.service.sweep(limit: 1) == false)
    }
  }
}
