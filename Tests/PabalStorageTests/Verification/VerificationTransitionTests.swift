import PabalCore
import PabalStorage
import Testing

/// What every act does to a verification in every state: the steps there are, and that there is no other.
@Suite struct VerificationTransitionTests {
  private enum Act: CaseIterable {
    case rightCode, wrongCodes, resend, cancel, redeem, newerStart, time
  }

  private static let steps: [VerificationState: [Act: VerificationState]] = [
    .pending: [
      .rightCode: .approved, .wrongCodes: .exhausted, .cancel: .cancelled, .newerStart: .superseded,
      .time: .expired,
    ],
    .approved: [.redeem: .consumed],
  ]

  /// The act that leads there from a pending one.
  private static func way(to state: VerificationState) -> [Act] {
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
    let desk: VerificationDesk
    let id: String
    let address: String
    var code: String
    var proof: String?

    init(_ desk: VerificationDesk, _ address: String) async throws {
      self.desk = desk
      self.address = address
      id = try await desk.start(address).id
      code = try desk.code(for: address)
    }

    func suffer(_ act: Act) async throws {
      switch act {
      case .rightCode:
        let answer = try await desk.service.check(id, code: code)
        if let proof = answer.proof { self.proof = proof }
      case .wrongCodes:
        let number = try #require(Int(code))
        for step in 1...5 {
          let digits = String((number + step) % 1_000_000)
          _ = try await desk.outcome(id, String(repeating: "0", count: 6 - digits.count) + digits)
        }
      case .resend:
        guard (try? await desk.service.resend(id)) != nil else { return }
        code = try desk.code(for: address)
      case .cancel: _ = try? await desk.service.cancel(id)
      case .redeem: _ = try? await desk.service.redeem(proof ?? "\(id).00000000000000000000000000000000")
      case .newerStart: _ = try await desk.start(address)
      case .time:
        desk.clock.pass(.seconds(600))
        _ = try await desk.service.sweep()
      }
    }
  }

  @Test(arguments: VerificationStores.allCases, VerificationState.allCases)
  func `each act leads where the table says, or nowhere`(
    _ stores: VerificationStores, _ state: VerificationState
  ) async throws {
    try await stores.withDesk({
      $0.cooldown = .zero
      $0.recipient = []
    }) { desk in
      for act in Act.allCases {
        let subject = try await Subject(desk, "\(act)@example.com")
        for step in Self.way(to: state) { try await subject.suffer(step) }
        #expect(try await desk.service.status(subject.id).state == state)
        try await subject.suffer(act)
        let after = try await desk.service.status(subject.id)
        let expected = Self.steps[state]?[act] ?? state
        #expect(after.state == expected, "\(state) + \(act)")
        #expect(after.state == state || state.canTransition(to: after.state))
        // What is final keeps nothing that a resend could use.
        if after.state.isFinal { #expect(after.resendAt == nil && after.sendsRemaining == 0) }
      }
    }
  }
}
