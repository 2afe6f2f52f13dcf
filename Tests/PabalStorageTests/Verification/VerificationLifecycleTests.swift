import PabalCore
import PabalStorage
import Testing

/// What every act does to a verification in every state: the steps there are, and that there is no other.
@Suite struct VerificationTransitionTests {
  private enum Action: CaseIterable {
    case rightCode, wrongCodes, resend, cancel, redeem, newerStart, time
  }

  private static let steps: [VerificationState: [Action: VerificationState]] = [
    .pending: [
      .rightCode: .approved, .wrongCodes: .exhausted, .cancel: .cancelled, .newerStart: .superseded,
      .time: .expired,
    ],
    .approved: [.redeem: .consumed],
  ]

  /// The act that leads there from a pending one.
  private static func path(to state: VerificationState) -> [Action] {
    switch state {
    case .pending: []
    case .approved: [.rightCode]
    case .consumed: [.rightCode, .redeem]
    case .exhausted: [.wrongCodes]
    case .expired: [.time]
    case .cancelled: [.cancel]
    case .superseded: [.newerStart]
    }
  }

  /// A verification in the test's hand.
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
        let answer = try await fixture.service.check(id, code: code)
        if let proof = answer.proof { self.proof = proof }
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
      }
    }
  }

  @Test(arguments: VerificationBackend.allCases, VerificationState.allCases)
  func `each act leads where the table says, or nowhere`(
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
        // What is final keeps nothing that a resend could use.
        if after.state.isFinal { #expect(after.resendAt == nil && after.sendsRemaining == 0) }
      }
    }
  }
}
