import PabalCore

/// Parses arbitrary bytes as a raw mail. A finished mail must have only CRLF line ends, no Bcc and a valid header.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let rawMail = try? RawMail(bytes), let sender = try? Mailbox("a@b") else { return 0 }
  let identity = MailIdentity(milliseconds: 0, utcOffset: 0, random: [])
  check(try? rawMail.finish(recipients: [sender.address], from: sender, identity: identity))
  check(try? rawMail.finish(from: sender, identity: identity))
  return 0
}

private func check(_ mail: Mail?) {
  guard let mail else { return }
  precondition(mail.bytes.suffix(2).elementsEqual("\r\n".utf8), "a mail doesn't end with CRLF")
  for i in mail.bytes.indices {
    if mail.bytes[i] == 0x0A { precondition(i > 0 && mail.bytes[i - 1] == 0x0D, "a lone LF") }
    if mail.bytes[i] == 0x0D { precondition(mail.bytes[i + 1] == 0x0A, "a lone CR") }
  }
  guard let read = try? RawMail(mail.bytes) else { preconditionFailure("a finished mail is unreadable") }
  precondition(!read.header.contains("bcc", "resent-bcc"), "a Bcc field remains")
  precondition(
    read.header.contains("date") && read.header.contains("message-id") && read.header.contains("from"))
  precondition(mail.needs8BitMIME == mail.bytes.contains { $0 >= 0x80 })
  precondition(
    mail.messageID.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }, "a Message-ID contains a control character")
  let again = try? read.finish(
    recipients: mail.envelope.recipients, identity: MailIdentity(milliseconds: 1, utcOffset: 0, random: []))
  precondition(
    again == nil || again?.bytes == mail.bytes, "a finished mail changes when it is finished again")
}
