import PabalTesting
import Testing

@testable import PabalCore

/// The causes of failures as logs, metrics and lists show them.
@Suite struct FailureCauseTests {
  private func redacted(_ reply: String, to recipients: [String] = ["kim.lee@example.org"]) throws -> String?
  {
    FailureCause.redacted(reply, envelope: try Mail.sample(to: recipients, id: "A").envelope)
  }

  @Test(arguments: [
    ("535 5.7.8 Username and Password not accepted", "535 5.7.8 Username and Password not accepted"),
    ("535-5.7.8 first line\r\n535 5.7.8 second\tline\n", "535-5.7.8 first line 535 5.7.8 second line"),
    ("450 <kim.lee@example.org>: try later", "450 <(address)>: try later"),
    ("450 other@shop.example, please", "450 (address), please"),
    ("450 mailbox of KIM.LEE is busy", "450 mailbox of (address) is busy"),
    ("450 user=kim.lee: busy", "450 user=(address): busy"),
    ("450 kim.leeds is another word", "450 kim.leeds is another word"),
    ("554 subject “[Pabal] 123456” is spam", "554 subject “[Pabal] (code)” is spam"),
    ("421 id 1234567 port 12345", "421 id 1234567 port 12345"),
    (
      "534 5.7.9 see https://accounts.google.com/signin/continue?plt=AKgnsbu9zz",
      "534 5.7.9 see https://accounts.google.com/signin/continue?…"
    ),
    ("why?", "why?"), ("421 \u{1B}[31mred", "421 \\u{1b}[31mred"),
  ])
  func `a cause is one line without addresses, codes and tokens in links`(reply: String, cause: String) throws
  {
    #expect(try redacted(reply) == cause)
  }

  @Test func `an empty reply has no cause, and a long one is shortened`() throws {
    #expect(try redacted("") == nil && redacted(" \r\n") == nil)
    #expect(FailureCause.redacted(nil) == nil)
    let long = try #require(try redacted("421 " + String(repeating: "x", count: 1_000_000)))
    #expect(long.count == FailureCause.maxLength && long.hasSuffix("…"))
  }

  @Test func `a short name of a recipient doesn't hide ordinary words`() throws {
    #expect(try redacted("450 it is in use", to: ["is@example.org"]) == "450 it is in use")
  }
}
