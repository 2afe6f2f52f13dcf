import PabalCore
import Testing

@testable import PabalSubmission

/// The extension XQUEUEID, by which `sendmail` chooses the queue id of its mail.
@Suite struct SMTPQueueIDTests {
  private func dialogue(accepting: Bool) -> Dialogue {
    var policy = SMTPSessionPolicy()
    policy.acceptsQueueIDs = accepting
    return Dialogue(policy)
  }

  @Test func `a mail keeps the id that its client chose`() throws {
    var dialogue = dialogue(accepting: true)
    #expect(dialogue.send("EHLO x\n").contains("XQUEUEID\n"))
    dialogue.send("MAIL FROM:<a@b> XQUEUEID=01M5PWP165041061050R3GG28A\nRCPT TO:<c@d>\nBDAT 4 LAST\na\nb")
    dialogue.send("\n")
    #expect(dialogue.submissions.map(\.id) == ["01M5PWP165041061050R3GG28A"])
    // The id is that of one mail.
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nBDAT 3 LAST\na\n")
    #expect(dialogue.submissions.map(\.id) == ["01M5PWP165041061050R3GG28A", nil])
  }

  @Test(arguments: [
    "", "1", "01M5PWP165041061050R3GG28a", "../../../etc/passwd0000000", "01M5PWP165041061050R3GG28AA",
  ])
  func `what isn't an id is refused`(_ id: String) {
    var dialogue = dialogue(accepting: true)
    dialogue.send("EHLO x\n")
    #expect(dialogue.send("MAIL FROM:<a@b> XQUEUEID=\(id)\n").hasPrefix("50"))
  }

  @Test func `clients that may not choose aren't offered it`() {
    var dialogue = dialogue(accepting: false)
    #expect(!dialogue.send("EHLO x\n").contains("XQUEUEID"))
    #expect(dialogue.send("MAIL FROM:<a@b> XQUEUEID=01M5PWP165041061050R3GG28A\n").hasPrefix("555"))
  }
}
