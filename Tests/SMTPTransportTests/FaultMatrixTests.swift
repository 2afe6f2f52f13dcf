import PabalTesting
import Testing

@testable import SMTPTransport

/// A fault at one place of a transaction, and the outcome it must have.
struct Fault: Sendable, CustomTestStringConvertible {
  let place: String
  let act: Act
  let outcome: Outcome
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

/// Closes, stalls, resets, 421, 4xx and 5xx at each step, for each way of putting a mail on the wire.
@Suite struct FaultMatrixTests {
  enum Way: String, CaseIterable, Sendable {
    case oneFlight, twoFlights, lockStep, lockStepBDAT

    var missing: [String] {
      switch self {
      case .oneFlight: []
      case .twoFlights: ["CHUNKING"]
      case .lockStep: ["CHUNKING", "PIPELINING"]
      case .lockStepBDAT: ["PIPELINING"]
      }
    }
  }

  static let replies: [Fault] = [
    Fault(place: "greeting", act: .reply("421 4.3.2 busy", close: true), outcome: .deferred),
    Fault(place: "greeting", act: .reply("450 4.3.2 later"), outcome: .deferred),
    Fault(place: "greeting", act: .reply("554 5.7.1 not you"), outcome: .held(.transport)),
    Fault(place: "ehlo", act: .reply("421 4.3.2 busy", close: true), outcome: .deferred),
    Fault(place: "ehlo", act: .reply("502 5.5.1 no EHLO here"), outcome: .held(.transport)),
    Fault(place: "auth", act: .reply("421 4.7.0 too many logins", close: true), outcome: .deferred),
    Fault(place: "auth", act: .reply("454 4.7.0 Temporary authentication failure"), outcome: .deferred),
    Fault(place: "auth", act: .reply("432 4.3.2 Concurrent connections limit exceeded"), outcome: .deferred),
    Fault(
      place: "auth", act: .reply("534 5.7.9 Application-specific password required"),
      outcome: .held(.transport)),
    Fault(place: "auth", act: .reply("535 5.7.8 no"), outcome: .held(.transport)),
    Fault(place: "auth", act: .reply("538 5.7.11 encryption required"), outcome: .held(.transport)),
    Fault(place: "mail", act: .reply("421 4.7.0 bye", close: true), outcome: .deferred),
    Fault(place: "mail", act: .reply("451 4.3.0 later"), outcome: .deferred),
    Fault(place: "mail", act: .reply("530 5.7.0 Authentication Required"), outcome: .held(.transport)),
    Fault(
      place: "mail", act: .reply("550 5.4.5 Daily user sending limit exceeded"), outcome: .held(.transport)),
    Fault(place: "mail", act: .reply("550 5.7.1 not your address"), outcome: .held(.mail)),
    Fault(place: "mail", act: .reply("550 5.1.8 bad sender"), outcome: .rejected),
    Fault(place: "mail", act: .reply("552 5.3.4 too big"), outcome: .unsuited),
    Fault(place: "rcpt", act: .reply("421 4.7.0 bye", close: true), outcome: .deferred),
    Fault(place: "rcpt", act: .reply("450 4.2.1 rate"), outcome: .deferred),
    Fault(place: "rcpt", act: .reply("450 4.7.1 greylisted"), outcome: .deferred),
    Fault(place: "rcpt", act: .reply("452 4.5.3 too many"), outcome: .deferred),
    Fault(place: "rcpt", act: .reply("550 5.1.1 nobody"), outcome: .rejected),
    Fault(place: "rcpt", act: .reply("550 nobody"), outcome: .rejected),
    Fault(place: "rcpt", act: .reply("553 5.7.1 not owned by user"), outcome: .held(.mail)),
    Fault(place: "final", act: .reply("421 4.3.2 bye", close: true), outcome: .deferred),
    Fault(place: "final", act: .reply("432 4.3.2 Concurrent connections limit exceeded"), outcome: .deferred),
    Fault(place: "final", act: .reply("452 4.3.1 disk full"), outcome: .deferred),
    Fault(place: "final", act: .reply("535 5.7.8 who are you"), outcome: .held(.transport)),
    Fault(
      place: "final", act: .reply("550 5.4.5 Daily user sending limit exceeded"), outcome: .held(.transport)),
    Fault(place: "final", act: .reply("552 5.2.3 larger than allowed"), outcome: .unsuited),
    Fault(place: "final", act: .reply("554 5.6.0 bad content"), outcome: .rejected),
    Fault(place: "final", act: .reply("550 5.7.26 unauthenticated"), outcome: .rejected),
    Fault(place: "final", act: .reply("251 2.0.0 as good as ok"), outcome: .sent),
    Fault(place: "final", act: .reply("354 go on"), outcome: .unknown),
    Fault(place: "final", act: .reply("220 hello again"), outcome: .unknown),
  ]

  @Test(arguments: Way.allCases) func `every refusal has the outcome of its row`(_ way: Way) async throws {
    let results = await onThreads(Self.replies) { fault in
      Result {
        let port = try hostile([fault.place: fault.act], without: way.missing)
        let outcomes = TestMail.small.outcomes(port.courier())
        return (outcomes, try port.report())
      }
    }
    for (fault, result) in zip(Self.replies, results) {
      let (outcomes, report) = try result.get()
      #expect(outcomes == [fault.outcome], "\(way): \(fault.testDescription)")
      #expect(report.taken.isEmpty, "\(way): \(fault.testDescription)")
      #expect(report.strange.isEmpty, "\(way): \(fault.testDescription): \(report.strange)")
    }
  }

  /// Places before the octets; in one flight everything from MAIL on has been handed over by then.
  static let steps = ["greeting", "ehlo", "auth", "mail", "rcpt", "data", "final"]

  @Test(arguments: Way.allCases)
  func `a connection that ends is unknown exactly when the last octet was handed over`(_ way: Way)
    async throws
  {
    let places = Self.steps.filter { $0 != "data" || way == .twoFlights || way == .lockStep }
    let cases = places.flatMap { place in [(place, Act.close), (place, Act.reset)] }
    let results = await onThreads(cases) { place, act in
      Result {
        let port = try hostile([place: act], without: way.missing)
        return (TestMail.small.outcomes(port.courier()), try port.report())
      }
    }
    for ((place, act), result) in zip(cases, results) {
      let (outcomes, report) = try result.get()
      let isHandedOver = place == "final" || way == .oneFlight && ["mail", "rcpt"].contains(place)
      #expect(
        outcomes == [isHandedOver ? .unknown : .deferred],
        "\(way): \(act.close == true ? "closes" : "resets") at \(place)")
      #expect(report.taken.isEmpty)
      if !isHandedOver { #expect(report.whole.isEmpty) }
    }
  }

  @Test(arguments: Way.allCases)
  func `a server that falls silent is unknown exactly when the last octet was handed over`(
    _ way: Way
  ) async throws {
    let places = Self.steps.filter { $0 != "data" || way == .twoFlights || way == .lockStep }
    let results = await onThreads(places) { place in
      Result {
        let port = try hostile([place: .stall], without: way.missing)
        return (TestMail.small.outcomes(port.courier(timeout: 1_500)), try port.report())
      }
    }
    for (place, result) in zip(places, results) {
      let (outcomes, report) = try result.get()
      let isHandedOver = place == "final" || way == .oneFlight && ["mail", "rcpt"].contains(place)
      #expect(outcomes == [isHandedOver ? .unknown : .deferred], "\(way): silent at \(place)")
      #expect(report.taken.isEmpty)
    }
  }

  @Test func `a refused DATA is judged like the octets`() throws {
    for (reply, outcome) in [
      ("451 4.3.0 later", Outcome.deferred), ("554 5.5.1 no valid recipients", .rejected),
      ("503 5.5.1 sequence", .deferred), ("421 4.3.2 bye", .deferred), ("250 what", .deferred),
    ] {
      for way in [Way.twoFlights, .lockStep] {
        let port = try hostile(["data": .reply(reply)], without: way.missing)
        #expect(TestMail.small.outcomes(port.courier()) == [outcome], "\(way): \(reply)")
        #expect(try port.report().whole.isEmpty)
      }
    }
  }
}
