import PabalCore

/// Parses arbitrary bytes as addresses, mailboxes and address lists. Accepted input must be safe in an envelope and a
/// header.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let text = String(decoding: bytes, as: UTF8.self)
  if let address = try? Address(text) { check(address) }
  if let mailbox = try? Mailbox(text) {
    check(mailbox)
    precondition((try? Mailbox(mailbox.description)) == mailbox, "a mailbox reads back as another")
    check(inHeader: mailbox)
  }
  if let list = try? AddressList(bytes, field: "to") { for mailbox in list.mailboxes { check(mailbox) } }
  return 0
}

private func check(_ address: Address) {
  let envelope = address.description.utf8
  precondition(envelope.count <= 254 && address.localPart.utf8.count <= 64, "an address is too long")
  precondition(
    envelope.allSatisfy { ($0 > 0x20 || $0 == 0x20 && address.localPart.hasPrefix("\"")) && $0 != 0x7F },
    "an address contains a control character, or a space outside quotes")
  precondition(address.domain.utf8.allSatisfy { $0 < 0x80 }, "a domain isn't ASCII")
  precondition(
    !address.domain.utf8.contains { "<>@\"\\,;".utf8.contains($0) }, "a domain contains a special character")
  precondition(
    address.domain.utf8.allSatisfy { !(0x41...0x5A).contains($0) } || address.domain.hasPrefix("[IPv6:"))
  precondition("\(address.localPart)@\(address.domain)" == address.description)
  precondition(address.needsSMTPUTF8 == envelope.contains { $0 >= 0x80 })
  precondition((try? Address(address.description)) == address, "an address reads back as another")
  if !address.localPart.hasPrefix("\"") {
    precondition(!envelope.contains { "<>\"\\,;:()".utf8.contains($0) } || address.domain.hasPrefix("[IPv6:"))
  }
}

private func check(_ mailbox: Mailbox) {
  check(mailbox.address)
  guard let name = mailbox.name else { return }
  precondition(!name.isEmpty && name.utf8.count <= 1_024)
  precondition(
    !name.unicodeScalars.contains { $0.properties.generalCategory == .control },
    "a name contains a control character")
}

/// Checks that a mailbox survives a round trip through a header without injecting fields.
private func check(inHeader mailbox: Mailbox) {
  let draft = MailDraft(
    from: mailbox, to: [mailbox, mailbox], subject: mailbox.name ?? "", text: mailbox.description)
  guard let mail = try? draft.finish(identity: MailIdentity(milliseconds: 0, utcOffset: 0, random: [])),
    let read = try? RawMail(mail.bytes)
  else { preconditionFailure("a mail from an accepted mailbox failed") }
  precondition(
    read.header.fields.map(\.name) == [
      "date", "from", "to", "subject", "message-id", "mime-version", "content-type",
      "content-transfer-encoding",
    ], "a header field was injected")
  for name in ["from", "to"] {
    guard let mailboxes = try? read.header.mailboxes(of: name) else {
      preconditionFailure("\(name) is unreadable")
    }
    precondition(mailboxes.count == (name == "to" ? 2 : 1))
    for read in mailboxes {
      precondition(read.address == mailbox.address, "an address changed on the way")
      precondition(
        (read.name ?? "").utf8.elementsEqual((mailbox.name ?? "").utf8), "a name changed on the way")
    }
  }
}
