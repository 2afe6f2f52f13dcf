import PabalCore

/// Parses arbitrary bytes as a submitted mail. A finished mail must have only CRLF line ends, no Bcc, and its body as it
/// was, unless a part of it had to be encoded.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let sender = try? Address("a@b"), let envelope = Envelope(sender: sender, recipients: [sender]) else {
    return 0
  }
  let strict = try? SubmittedMail(bytes, lineEnds: .crlf)
  let tolerant = try? SubmittedMail(bytes, lineEnds: .any)
  if let recipients = try? tolerant?.headerRecipients(completing: "mail.example") {
    for recipient in recipients {
      precondition((try? Address(recipient.description)) == recipient, "a recipient reads back as another")
    }
  }
  let finished = tolerant.flatMap { finish($0, envelope) }
  if let strict {
    guard let mail = finish(strict, envelope), let finished else {
      preconditionFailure("a mail with CRLF can't be finished")
    }
    precondition(mail.bytes == finished.bytes, "a mail with CRLF depends on the line ends that are allowed")
    guard let end = bodyStart(of: mail.bytes), let body = bodyStart(in: bytes, strict) else {
      preconditionFailure("a mail has no body")
    }
    let lineEnd: [UInt8] = body.isEmpty || body.last == 0x0A ? [] : [0x0D, 0x0A]
    precondition(Array(mail.bytes[end...]) == body + lineEnd, "a body changed")
  }
  return 0
}

private func finish(_ submitted: SubmittedMail, _ envelope: Envelope) -> Mail? {
  let identity = MailIdentity(milliseconds: 0, utcOffset: 0, random: [])
  let received = ReceivedField(greeting: "client", address: "192.0.2.1", host: "mail.example")
  guard
    let mail = try? submitted.finish(
      envelope: envelope, received: received, isInternational: true, authorName: "Kim", identity: identity
    ).mail
  else { return nil }
  precondition(mail.bytes.suffix(2).elementsEqual("\r\n".utf8), "a mail doesn't end with CRLF")
  for i in mail.bytes.indices {
    precondition(mail.bytes[i] != 0, "a NUL")
    if mail.bytes[i] == 0x0A { precondition(i > 0 && mail.bytes[i - 1] == 0x0D, "a lone LF") }
    if mail.bytes[i] == 0x0D { precondition(mail.bytes[i + 1] == 0x0A, "a lone CR") }
  }
  guard let read = try? SubmittedMail(mail.bytes, lineEnds: .crlf) else {
    preconditionFailure("a finished mail is unreadable")
  }
  precondition(read.header.fields.first?.name == "received")
  precondition(!read.header.contains("bcc", "resent-bcc", "return-path"), "a removed field remains")
  precondition(
    read.header.contains("date") && read.header.contains("message-id") && read.header.contains("from"))
  precondition(mail.needs8BitMIME == mail.bytes.contains { $0 >= 0x80 })
  return mail
}

/// Returns the index behind the first empty line.
private func bodyStart(of bytes: [UInt8]) -> Int? {
  bytes.indices.first { bytes[$0...].starts(with: [0x0D, 0x0A, 0x0D, 0x0A]) }.map { $0 + 4 }
}

/// Returns the body of a mail with CRLF, by the lines of its header.
private func bodyStart(in bytes: [UInt8], _ mail: SubmittedMail) -> [UInt8]? {
  var rest = bytes[...]
  if MailboxLine.matches(rest.prefix { $0 != 0x0A }), mail.header.byteCount > 0 {
    rest = rest.drop { $0 != 0x0A }.dropFirst()
  } else if rest.starts(with: [0xEF, 0xBB, 0xBF]), mail.header.byteCount > 0 {
    rest = rest.dropFirst(3)
  }
  rest = rest.dropFirst(mail.header.byteCount)
  return Array(rest.starts(with: [0x0D, 0x0A]) ? rest.dropFirst(2) : rest)
}
