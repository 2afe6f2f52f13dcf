/// A mail that another program wrote, to be sent as it is.
///
/// Its line ends are mended to CRLF; its body stays byte for byte otherwise, lines over 998 bytes among
/// them: next hops take them or say so, and only the author could fold them without harm. Bcc fields are
/// taken out. Date, Message-ID and From are added at the header's end where they are missing; Resent fields stay.
public struct RawMail: Sendable {
  private let bytes: [UInt8]
  private let body: Int
  /// The header fields, as they came.
  package let header: MailHeader

  /// Reads the header of a mail.
  ///
  /// Throws when there is nothing, or when a header line is no field, isn't UTF-8, holds a NUL, has more
  /// than 998 bytes, or holds a lone CR while others end with LF.
  public init(_ bytes: [UInt8]) throws(MailError) {
    guard !bytes.isEmpty else { throw MailError("mail", "it is empty") }
    var body = 0
    header = try bytes.withUnsafeBufferPointer { mail throws(MailError) in
      try MailHeader(of: mail, body: &body)
    }
    self.bytes = bytes
    self.body = body
    guard header.values(of: "from").count <= 1 else {
      throw MailError("from", "the header has more than one From field", remedy: "leave one")
    }
  }

  /// The finished mail.
  ///
  /// Its envelope has the given recipients, or those of To, Cc and Bcc. `.author` is the address of From, or
  /// of Sender where From has several; `from` stands in where the header has no From. Throws when there is no
  /// recipient or author to be found, or when a field that is needed to find them cannot be read.
  public func finish(
    sender: EnvelopeSender = .author, recipients: [Address]? = nil, from: Mailbox? = nil,
    identity: MailIdentity
  ) throws(MailError) -> Mail {
    let envelopeSender: Address? =
      switch sender {
      case .author: try author(orElse: from)
      case .address(let address): address
      case .null: nil
      }
    let recipients = if let recipients { recipients } else { try headerRecipients() }
    guard let envelope = Envelope(sender: envelopeSender, recipients: recipients) else {
      throw MailError("to", "the mail has no recipient", remedy: "name at least one")
    }

    var additions = HeaderWriter(capacity: 256)
    var messageID = RawMail.messageID(header.values(of: "message-id").first ?? [])
    if !header.contains("date") { additions.append("Date", token: identity.date) }
    if !header.contains("message-id") {
      let author = if let envelopeSender { envelopeSender } else { try author(orElse: from) }
      messageID = "<\(identity.token)@\(author.domain)>"
      additions.append("Message-ID", token: messageID)
    }
    if !header.contains("from") {
      guard let from else { throw RawMail.missingAuthor }
      additions.append("From", [from])
    }
    let added = additions.finished()

    var finished = [UInt8]()
    let bareLineBreaks = countBareLineBreaks()
    // One allocation of the right size: a mail may have 35 MiB.
    finished.reserveCapacity(bytes.count + bareLineBreaks + header.fields.count + added.count + 4)
    header.append(to: &finished, without: ["bcc", "resent-bcc"])
    finished.append(contentsOf: added)
    let headerHasUTF8 = !finished.allSatisfy { $0 < 0x80 }
    finished.append(ascii: "\r\n")
    appendBody(to: &finished, usesCRLF: bareLineBreaks == 0)
    return Mail(
      id: identity.id, envelope: envelope, messageID: messageID, bytes: finished,
      needsSMTPUTF8: headerHasUTF8 || envelope.needsSMTPUTF8,
      needs8BitMIME: headerHasUTF8 || bodyHas8Bit())
  }

  private static let missingAuthor = MailError(
    "from", "the header has no From, and nothing else says who sends the mail", remedy: "add a From field")

  private func author(orElse from: Mailbox?) throws(MailError) -> Address {
    guard header.contains("from") else {
      guard let from else { throw RawMail.missingAuthor }
      return from.address
    }
    let authors = try header.mailboxes(of: "from")
    if authors.count == 1 { return authors[0].address }
    // RFC 5322, 3.6.2: several authors have one sender.
    let senders = try header.mailboxes(of: "sender")
    guard senders.count == 1 else {
      throw MailError(
        "from", "the field has \(authors.count) addresses, and no Sender field says which of them sends",
        remedy: "give the envelope's sender, or add a Sender field")
    }
    return senders[0].address
  }

  private func headerRecipients() throws(MailError) -> [Address] {
    // RFC 5322, 3.6.6: then To says who got it the first time, and nobody should get it twice.
    guard !header.contains("resent-to", "resent-cc", "resent-bcc") else {
      throw MailError(
        "resent-to", "a mail with Resent fields has recipients of two times", remedy: "name the recipients")
    }
    var recipients = [Address]()
    for name in ["to", "cc", "bcc"] { recipients += try header.mailboxes(of: name).map(\.address) }
    return recipients
  }

  /// The value from `<` to `>`; empty where the field has none.
  private static func messageID(_ value: [UInt8]) -> String {
    guard let start = value.firstIndex(of: UInt8(ascii: "<")),
      let end = value.lastIndex(of: UInt8(ascii: ">")),
      start < end, value[start...end].allSatisfy({ $0 > 0x20 && $0 != 0x7F })
    else { return "" }
    return String(decoding: value[start...end], as: UTF8.self)
  }

  private func countBareLineBreaks() -> Int {
    bytes.withUnsafeBufferPointer { bytes in
      var scanner = LineScanner(bytes, from: body)
      var count = 0
      while let line = scanner.next() { if line.end != .crlf { count += 1 } }
      return count
    }
  }

  private func appendBody(to target: inout [UInt8], usesCRLF: Bool) {
    bytes.withUnsafeBufferPointer { bytes in
      var pending = body
      if !usesCRLF {
        var scanner = LineScanner(bytes, from: body)
        while let line = scanner.next() {
          if line.end == .crlf { continue }
          target.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[pending..<line.content.upperBound]))
          target.append(0x0D)
          target.append(0x0A)
          pending = line.next
        }
      }
      target.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[pending...]))
    }
  }

  private func bodyHas8Bit() -> Bool {
    bytes.withUnsafeBytes { bytes in
      var i = body
      while i + 8 <= bytes.count {
        if bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
          return true
        }
        i += 8
      }
      while i < bytes.count {
        if bytes[i] >= 0x80 { return true }
        i += 1
      }
      return false
    }
  }
}
