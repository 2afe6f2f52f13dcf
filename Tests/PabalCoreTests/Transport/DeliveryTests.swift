import PabalCore
import PabalTesting
import Testing

@Suite struct DeliveryTests {
  private func delivery(
    _ route: [String] = ["a", "b", "c"], to recipients: [String] = ["x@example.org"],
    unknown: UnknownPolicy = .resend
  ) throws -> Delivery {
    Delivery(try Mail.sample(to: recipients), route: route, unknownPolicy: unknown)
  }

  /// Records one outcome per recipient for the next attempt; returns the recipients of the attempt.
  private func attempt(_ delivery: inout Delivery, _ outcomes: Outcome...) throws -> [String] {
    let (_, mail) = try #require(delivery.next())
    let recipients = zip(mail.envelope.recipients, outcomes).map {
      Receipt.Recipient(address: $0, outcome: $1, reply: $1.name)
    }
    delivery.record(Receipt(recipients: recipients), duration: .milliseconds(1))
    return mail.envelope.recipients.map(\.description)
  }

  @Test func `sent ends the delivery`() throws {
    var delivery = try delivery()
    _ = try attempt(&delivery, .sent)
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.outcome == .sent)
    #expect(delivery.transport == "a")
  }

  @Test func `rejected ends the delivery without fail-over`() throws {
    var delivery = try delivery()
    _ = try attempt(&delivery, .rejected)
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.outcome == .rejected)
  }

  @Test(arguments: [
    Outcome.deferred(), .deferred(retryAfter: .seconds(9)), .unsuited, .held(.transport), .held(.mail),
  ])
  func `deferred, unsuited and held fail over to the next transport`(first: Outcome) throws {
    var delivery = try delivery()
    _ = try attempt(&delivery, first)
    _ = try attempt(&delivery, .sent)
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.outcome == .sent)
    #expect(delivery.transport == "b")
    #expect(delivery.attempts.map(\.outcome) == [first, .sent])
  }

  @Test func `no transport is tried twice`() throws {
    var delivery = try delivery(["a"])
    _ = try attempt(&delivery, .deferred(retryAfter: .seconds(30)))
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.outcome == .deferred(retryAfter: .seconds(30)))
  }

  @Test func `a mail that is unsuited for all transports is rejected`() throws {
    var delivery = try delivery(["a", "b"])
    _ = try attempt(&delivery, .unsuited)
    _ = try attempt(&delivery, .unsuited)
    #expect(delivery.receipt.outcome == .rejected)
  }

  @Test func `unsuited doesn't replace an earlier outcome`() throws {
    var delivery = try delivery(["a", "b"])
    _ = try attempt(&delivery, .deferred())
    _ = try attempt(&delivery, .unsuited)
    #expect(delivery.receipt.outcome == .deferred())
    #expect(delivery.transport == "a")
  }

  @Test func `unknown fails over with the policy resend`() throws {
    var delivery = try delivery(unknown: .resend)
    _ = try attempt(&delivery, .unknown)
    _ = try attempt(&delivery, .sent)
    #expect(delivery.receipt.outcome == .sent)
  }

  @Test func `unknown ends the delivery with the policy keep`() throws {
    var delivery = try delivery(unknown: .keep)
    _ = try attempt(&delivery, .unknown)
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.outcome == .unknown)
  }

  @Test(arguments: [Outcome.rejected, .deferred(), .held(.transport), .unsuited])
  func `a mail that may have been sent stays unknown unless a later transport sends it`(later: Outcome) throws
  {
    var delivery = try delivery(["a", "b"], unknown: .resend)
    _ = try attempt(&delivery, .unknown)
    _ = try attempt(&delivery, later)
    #expect(delivery.receipt.outcome == .unknown)
  }

  @Test func `fail-over includes only recipients without a final outcome`() throws {
    var delivery = try delivery(to: ["sent@x.org", "bad@x.org", "late@x.org", "odd@x.org"])
    #expect(try attempt(&delivery, .sent, .rejected, .deferred(), .unknown).count == 4)
    #expect(try attempt(&delivery, .sent, .deferred()) == ["late@x.org", "odd@x.org"])
    #expect(try attempt(&delivery, .sent) == ["odd@x.org"])
    #expect(delivery.next() == nil)
    #expect(delivery.receipt.recipients.map(\.outcome) == [.sent, .rejected, .sent, .sent])
    #expect(delivery.receipt.outcome == .rejected)
  }

  @Test func `the mail's outcome is the first of its recipients' outcomes in rank`() throws {
    let order: [Outcome] = [
      .unknown, .held(.transport), .held(.mail), .deferred(), .unsuited, .rejected, .sent,
    ]
    for (index, outcome) in order.enumerated() {
      #expect(Outcome.combined(order[index...].reversed()) == outcome)
    }
    #expect(Outcome.combined([]) == nil)
  }
}
