/// A mail that another program wrote, to be sent as it is.
///
/// Its line ends are mended to CRLF; its body stays octet for octet otherwise, lines over 998 octets among
/// them: next hops take them or say so, and only the author could fold them without harm. Bcc fields are
/// taken out. Date, Message-ID and From are added at the header's end where they are missing; Resent fields stay.
public struct ForeignMail: Sendable {
  private let octets: [UInt8]
  private let body: Int
  /// The header fields, as they came.
  package let header: HeaderBlock

  /// Reads the header of a mail.
  ///
  /// Throws when there is nothing, or when a header line is no field, isn't UTF-8, holds a NUL, has more
  /// than 998 octets, or holds a lone CR while others end with LF.
  public init(_ octets: [UInt8]) throws(MailProblem) {
    guard !octets.isEmpty else { throw MailProblem("mail", "it is empty") }
    var body = 0
    header = try octets.withUnsafeBufferPointer { mail throws(MailProblem) in
      try HeaderBlock(of: mail, body: &body)
    }
    self.octets = octets
    self.body = body
    guard header.values(of: "from").count <= 1 else {
      throw MailProblem("from", "the header has more than one From field", cure: "leave one")
    }
  }

  /// The finished mail.
  ///
  /// Its envelope has the given recipients, or those of To, Cc and Bcc. `.author` is the address of From, or
  /// of Sender where From has several; `from` stands in where the header has no From. Throws when there is no
  /// recipient or author to be found, or when a field that is needed to find them cannot be read.
  public func finish(
    sender: EnvelopeSender = .author, recipients: [Address]? = nil, from: Mailbox? = nil, stamp: MailStamp
  ) throws(MailProblem) -> Mail {
    let envelopeSender: Address? =
      switch sender {
      case .author: try author(orElse: from)
      case .address(let address): address
      case .null: nil
      }
    let recipients = if let recipients { recipients } else { try recipientsOfHeader() }
    guard let envelope = Envelope(sender: envelopeSender, recipients: recipients) else {
      throw MailProblem("to", "the mail has no recipient", cure: "name at least one")
    }

    var additions = HeaderWriter(capacity: 256)
    var messageID = ForeignMail.messageID(header.values(of: "message-id").first ?? [])
    if !header.holds("date") { additions.append("Date", token: stamp.date) }
    if !header.holds("message-id") {
      let author = if let envelopeSender { envelopeSender } else { try author(orElse: from) }
      messageID = "<\(stamp.token)@\(author.domain)>"
      additions.append("Message-ID", token: messageID)
    }
    if !header.holds("from") {
      guard let from else { throw ForeignMail.noAuthor }
      additions.append("From", [from])
    }
    let added = additions.finished()

    var finished = [UInt8]()
    let bareEnds = countBareEnds()
    // One allocation of the right size: a mail may have 35 MiB.
    finished.reserveCapacity(octets.count + bareEnds + header.fields.count + added.count + 4)
    header.append(to: &finished, without: ["bcc", "resent-bcc"])
    finished.append(contentsOf: added)
    let headerHasUTF8 = !finished.allSatisfy { $0 < 0x80 }
    finished.append(ascii: "\r\n")
    appendBody(to: &finished, isMended: bareEnds == 0)
    return Mail(
      id: stamp.id, envelope: envelope, messageID: messageID, octets: finished,
      needsSMTPUTF8: headerHasUTF8 || envelope.needsSMTPUTF8,
      needs8BitMIME: headerHasUTF8 || bodyHas8Bit())
  }

  private static let noAuthor = MailProblem(
    "from", "the header has no From, and nothing else says who sends the mail", cure: "add a From field")

  private func author(orElse from: Mailbox?) throws(MailProblem) -> Address {
    guard header.holds("from") else {
      guard let from else { throw ForeignMail.noAuthor }
      return from.address
    }
    let authors = try header.mailboxes(of: "from")
    if authors.count == 1 { return authors[0].address }
    // RFC 5322, 3.6.2: several authors have one sender.
    let senders = try header.mailboxes(of: "sender")
    guard senders.count == 1 else {
      throw MailProblem(
        "from", "the field has \(authors.count) addresses, and no Sender field says which of them sends",
        cure: "give the envelope's sender, or add a Sender field")
    }
    return senders[0].address
  }

  private func recipientsOfHeader() throws(MailProblem) -> [Address] {
    // RFC 5322, 3.6.6: then To says who got it the first time, and nobody should get it twice.
    guard !header.holds("resent-to", "resent-cc", "resent-bcc") else {
      throw MailProblem(
        "resent-to", "a mail with Resent fields has recipients of two times", cure: "name the recipients")
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

  private func countBareEnds() -> Int {
    octets.withUnsafeBufferPointer { octets in
      var scanner = LineScanner(octets, from: body)
      var count = 0
      while let line = scanner.next() { if line.end != .crlf { count += 1 } }
      return count
    }
  }

  private func appendBody(to target: inout [UInt8], isMended: Bool) {
    octets.withUnsafeBufferPointer { octets in
      var pending = body
      if !isMended {
        var scanner = LineScanner(octets, from: body)
        while let line = scanner.next() {
          if line.end == .crlf { continue }
          target.append(contentsOf: UnsafeBufferPointer(rebasing: octets[pending..<line.content.upperBound]))
          target.append(0x0D)
          target.append(0x0A)
          pending = line.next
        }
      }
      target.append(contentsOf: UnsafeBufferPointer(rebasing: octets[pending...]))
    }
  }

  private func bodyHas8Bit() -> Bool {
    octets.withUnsafeBytes { octets in
      var i = body
      while i + 8 <= octets.count {
        if octets.loadUnaligned(fromByteOffset: i, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
          return true
        }
        i += 8
      }
      while i < octets.count {
        if octets[i] >= 0x80 { return true }
        i += 1
      }
      return false
    }
  }
}
