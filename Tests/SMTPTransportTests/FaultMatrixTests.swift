import PabalTesting
import Testing

@testable import SMTPTransport

/// A fault at one place of a transaction, and the expected outcome.
struct FaultCase: Sendable, CustomTestStringConvertible {
  let place: String
  let act: SMTPServerAction
  let outcome: SMTPOutcome
  var testDescription: String {
    let reply =
      act.reply
      ?? [
        act.close != nil ? "closes" : nil, act.reset != nil ? "resets" : nil,
        act.stall != nil ? "stalls" : nil,
      ]
      .compactMap { $0 }.joined()
    return "\(place): \(reply) is \(outcome)"
  }
}

/// Closes, stalls, resets, 421, 4xx and 5xx at each step, in each transaction mode.
@Suite struct FaultMatrixTests {
  enum WireMode: String, CaseIterable, Sendable {
    case pipelinedWithBody, pipelinedEnvelope, lockStep, lockStepBDAT

    var missing: [String] {
      switch self {
      case .pipelinedWithBody: []
      case .pipelinedEnvelope: ["CHUNKING"]
      case .lockStep: ["CHUNKING", "PIPELINING"]
      case .lockStepBDAT: ["PIPELINING"]
      }
    }
  }

  static let replies: [FaultCase] = [
    FaultCase(place: "greeting", act: .reply("421 4.3.2 busy", close: true), outcome: .deferred),
    FaultCase(place: "greeting", act: .reply("450 4.3.2 later"), outcome: .deferred),
    FaultCase(place: "greeting", act: .reply("554 5.7.1 not you"), outcome: .held(.transport)),
    FaultCase(place: "ehlo", act: .reply("421 4.3.2 busy", close: true), outcome: .deferred),
    FaultCase(place: "ehlo", act: .reply("502 5.5.1 no EHLO here"), outcome: .held(.transport)),
    FaultCase(place: "auth", act: .reply("421 4.7.0 too many logins", close: true), outcome: .deferred),
    FaultCase(place: "auth", act: .reply("454 4.7.0 Temporary authentication failure"), outcome: .deferred),
    FaultCase(
      place: "auth", act: .reply("432 4.3.2 Concurrent connections limit exceeded"), outcome: .deferred),
    FaultCase(
      place: "auth", act: .reply("534 5.7.9 Application-specific password required"),
      outcome: .held(.transport)),
    FaultCase(place: "auth", act: .reply("535 5.7.8 no"), outcome: .held(.transport)),
    FaultCase(place: "auth", act: .reply("538 5.7.11 encryption required"), outcome: .held(.transport)),
    FaultCase(place: "mail", act: .reply("421 4.7.0 bye", close: true), outcome: .deferred),
    FaultCase(place: "mail", act: .reply("451 4.3.0 later"), outcome: .deferred),
    FaultCase(place: "mail", act: .reply("530 5.7.0 Authentication Required"), outcome: .held(.transport)),
    FaultCase(
      place: "mail", act: .reply("550 5.4.5 Daily user sending limit exceeded"), outcome: .held(.transport)),
    FaultCase(place: "mail", act: .reply("550 5.7.1 not your address"), outcome: .held(.mail)),
    FaultCase(place: "mail", act: .reply("550 5.1.8 bad sender"), outcome: .rejected),
    FaultCase(place: "mail", act: .reply("552 5.3.4 too big"), outcome: .unsuited),
    FaultCase(place: "rcpt", act: .reply("421 4.7.0 bye", close: true), outcome: .deferred),
    FaultCase(place: "rcpt", act: .reply("450 4.2.1 rate"), outcome: .deferred),
    FaultCase(place: "rcpt", act: .reply("450 4.7.1 greylisted"), outcome: .deferred),
    FaultCase(place: "rcpt", act: .reply("452 4.5.3 too many"), outcome: .deferred),
    FaultCase(place: "rcpt", act: .reply("550 5.1.1 no such user"), outcome: .rejected),
    FaultCase(place: "rcpt", act: .reply("550 no such user"), outcome: .rejected),
    FaultCase(place: "rcpt", act: .reply("553 5.7.1 not owned by user"), outcome: .held(.mail)),
    FaultCase(place: "final", act: .reply("421 4.3.2 bye", close: true), outcome: .deferred),
    FaultCase(
      place: "final", act: .reply("432 4.3.2 Concurrent connections limit exceeded"), outcome: .deferred),
    FaultCase(place: "final", act: .reply("452 4.3.1 disk full"), outcome: .deferred),
    FaultCase(place: "final", act: .reply("535 5.7.8 who are you"), outcome: .held(.transport)),
    FaultCase(
      place: "final", act: .reply("550 5.4.5 Daily user sending limit exceeded"), outcome: .held(.transport)),
    FaultCase(place: "final", act: .reply("552 5.2.3 larger than allowed"), outcome: .unsuited),
    FaultCase(place: "final", act: .reply("554 5.6.0 bad content"), outcome: .rejected),
    FaultCase(place: "final", act: .reply("550 5.7.26 unauthenticated"), outcome: .rejected),
    FaultCase(place: "final", act: .reply("251 2.0.0 as good as ok"), outcome: .sent),
    FaultCase(place: "final", act: .reply("354 go on"), outcome: .unknown),
    FaultCase(place: "final", act: .reply("220 hello again"), outcome: .unknown),
  ]

  @Test(arguments: WireMode.allCases) func `a refusal has the outcome of its row`(_ wireMode: WireMode)
    async throws
  {
    let results = await mapOnThreads(Self.replies) { fault in
      Result {
        let port = try hostile([fault.place: fault.act], without: wireMode.missing)
        let outcomes = SMTPTestMail.small.outcomes(port.client())
        return (outcomes, try port.report())
      }
    }
    for (fault, result) in zip(Self.replies, results) {
      let (outcomes, report) = try result.get()
      #expect(outcomes == [fault.outcome], "\(wireMode): \(fault.testDescription)")
      #expect(report.taken.isEmpty, "\(wireMode): \(fault.testDescription)")
      #expect(report.strange.isEmpty, "\(wireMode): \(fault.testDescription): \(report.strange)")
    }
  }

  /// The places, in order. With everything in one group, the mail has been sent completely from MAIL on.
  static let steps = ["greeting", "ehlo", "auth", "mail", "rcpt", "data", "final"]

  @Test(arguments: WireMode.allCases)
  func `a connection that ends is unknown if and only if the last byte was sent`(_ wireMode: WireMode)
    async throws
  {
    let places = Self.steps.filter { $0 != "data" || wireMode == .pipelinedEnvelope || wireMode == .lockStep }
    let cases = places.flatMap { place in [(place, SMTPServerAction.close), (place, SMTPServerAction.reset)] }
    let results = await mapOnThreads(cases) { place, act in
      Result {
        let port = try hostile([place: act], without: wireMode.missing)
        return (SMTPTestMail.small.outcomes(port.client()), try port.report())
      }
    }
    for ((place, act), result) in zip(cases, results) {
      let (outcomes, report) = try result.get()
      let isFullySent =
        place == "final" || wireMode == .pipelinedWithBody && ["mail", "rcpt"].contains(place)
      #expect(
        outcomes == [isFullySent ? .unknown : .deferred],
        "\(wireMode): \(act.close == true ? "closes" : "resets") at \(place)")
      #expect(report.taken.isEmpty)
      if !isFullySent { #expect(report.whole.isEmpty) }
    }
  }

  @Test(arguments: WireMode.allCases)
  func `a server that falls silent is unknown if and only if the last byte was sent`(
    _ wireMode: WireMode
  ) async throws {
    let places = Self.steps.filter { $0 != "data" || wireMode == .pipelinedEnvelope || wireMode == .lockStep }
    let results = await mapOnThreads(places) { place in
      Result {
        let port = try hostile([place: .stall], without: wireMode.missing)
        return (SMTPTestMail.small.outcomes(port.client(timeout: 1_500)), try port.report())
      }
    }
    for (place, result) in zip(places, results) {
      let (outcomes, report) = try result.get()
      let isFullySent =
        place == "final" || wireMode == .pipelinedWithBody && ["mail", "rcpt"].contains(place)
      #expect(outcomes == [isFullySent ? .unknown : .deferred], "\(wireMode): silent at \(place)")
      #expect(report.taken.isEmpty)
    }
  }

  @Test func `a refused DATA has the outcome of a refused body`() throws {
    for (reply, outcome) in [
      ("451 4.3.0 later", SMTPOutcome.deferred), ("554 5.5.1 no valid recipients", .rejected),
      ("503 5.5.1 sequence", .deferred), ("421 4.3.2 bye", .deferred), ("250 what", .deferred),
    ] {
      for wireMode in [WireMode.pipelinedEnvelope, .lockStep] {
        let port = try hostile(["data": .reply(reply)], without: wireMode.missing)
        #expect(SMTPTestMail.small.outcomes(port.client()) == [outcome], "\(wireMode): \(reply)")
        #expect(try port.report().whole.isEmpty)
      }
    }
  }
}
