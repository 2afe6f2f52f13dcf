/// A mail that another program wrote, to be sent as it is.
///
/// Line ends are normalized to CRLF. Otherwise the body is kept byte for byte, including lines longer than 998 bytes,
/// because only the author can fold them safely and next hops reject them if they can't take them; only a binary part
/// that no transport would carry unchanged is re-encoded as base64. Longer lines of the header are folded. Bcc fields
/// are removed, and so are the traces of an earlier delivery. Missing Date, Message-ID and From fields are added at the
/// end of the header; Resent fields are kept.
public struct RawMail: Sendable {
  private let bytes: [UInt8]
  private let bodyStart: Int
  /// The header fields as received.
  package let header: MailHeader

  /// Parses the header of a mail.
  ///
  /// Throws if the mail is empty or has no header, or if a header line isn't a field, isn't UTF-8, contains a NUL, can't
  /// be folded to 998 bytes, or ends with a different line break than the others.
  public init(_ bytes: [UInt8]) throws(MailError) {
    guard !bytes.isEmpty else { throw MailError("mail", "empty") }
    try RawMail.checkStart(of: bytes)
    var bodyStart = 0
    header = try bytes.withUnsafeBufferPointer { mail throws(MailError) in
      try MailHeader(of: mail, bodyStart: &bodyStart)
    }
    self.bytes = bytes
    self.bodyStart = bodyStart
    guard header.values(of: "from").count <= 1 else {
      throw MailError("from", "the header has more than one From field", remedy: "keep one")
    }
  }

  /// Fields that the last hop, or the mailbox file it wrote to, added to another delivery of the mail.
  ///
  /// A Return-Path must not be sent (RFC 5321, 4.4). Delivered-To, and its relatives of other servers, would make the
  /// next ones see a loop. Mailbox files split their mails by Content-Length and keep flags in the others.
  private static let removedFields: Set = [
    "bcc", "resent-bcc", "return-path", "delivered-to", "x-original-to", "envelope-to", "delivery-date",
    "content-length", "status", "x-status", "x-uid", "x-keywords", "x-imapbase", "x-mozilla-status",
    "x-mozilla-status2", "x-mozilla-keys",
  ]

  /// Refuses a mail that doesn't begin with its header: everything up to the first empty line would be its header, and
  /// what the author wrote as header fields, Bcc included, would be its text.
  private static func checkStart(of bytes: [UInt8]) throws(MailError) {
    let line = "header line 1"
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      throw MailError(
        line, "the mail starts with a byte order mark", remedy: "save the file as UTF-8 without one")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw MailError(line, "the mail is encoded as UTF-16", remedy: "save the file as UTF-8")
    }
    let first = bytes.first { $0 != 0x20 && $0 != 0x09 }
    guard let first, first != 0x0D, first != 0x0A else {
      throw MailError(
        line, "the mail has no header: its first line is empty",
        remedy:
          "remove the empty lines at its beginning, or begin it with fields such as Subject: …, followed by an empty line"
      )
    }
  }

  /// Returns the finished mail.
  ///
  /// The envelope has the given recipients, or those of To, Cc and Bcc. The sender `.author` is the address of From,
  /// or of Sender if From has several addresses; `from` is used if the header has no From. Throws if no recipient or
  /// author is found, or if a field needed to find them can't be parsed.
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
      throw MailError("to", "the mail has no recipient", remedy: "add at least one")
    }

    var additions = HeaderWriter(capacity: 256)
    var messageID = RawMail.messageID(header.values(of: "message-id").first ?? [])
    if !header.contains("date") { additions.append("Date", token: identity.date) }
    if !header.contains("message-id") {
      let author = if let envelopeSender { envelopeSender } else { try author(orElse: from) }
      messageID = "<\(identity.messageIDToken)@\(author.domain)>"
      additions.append("Message-ID", token: messageID)
    }
    if !header.contains("from") {
      guard let from else { throw RawMail.missingAuthor }
      additions.append("From", [from])
    }

    let survey = BodySurvey(header, bytes, from: bodyStart)
    let encoded: EncodedBody? =
      survey.mayBeBinary
      ? try bytes.withUnsafeBufferPointer { bytes throws(MailError) in
        try BinaryPartEncoder(bytes, bodyStart: bodyStart).encode(header)
      } : nil
    var removed = RawMail.removedFields
    if let encoded {
      if let encoding = encoded.encoding {
        additions.append("Content-Transfer-Encoding", token: encoding)
        removed.insert("content-transfer-encoding")
      }
      // It signs the body that was re-encoded.
      removed.insert("dkim-signature")
    }
    let added = additions.finished()

    var finished = [UInt8]()
    // Allocate once with the final size, because a mail may have 35 MiB.
    finished.reserveCapacity(
      (encoded.map { bodyStart + $0.body.count } ?? bytes.count) + survey.bareLineBreaks + header.fields.count
        + added.count + 4)
    header.append(to: &finished, without: removed)
    finished.append(contentsOf: added)
    let headerHasUTF8 = !finished.allSatisfy { $0 < 0x80 }
    finished.append(ascii: "\r\n")
    let start = finished.count
    if let encoded {
      finished.append(contentsOf: encoded.body)
    } else if survey.bareLineBreaks == 0 {
      finished.append(contentsOf: bytes[bodyStart...])
    } else {
      bytes.withUnsafeBufferPointer { finished.append(normalizing: $0, in: bodyStart..<$0.count) }
    }
    return Mail(
      id: identity.id, envelope: envelope, messageID: messageID, bytes: finished,
      needsSMTPUTF8: headerHasUTF8 || envelope.needsSMTPUTF8,
      needs8BitMIME: headerHasUTF8 || finished.has8Bit(from: start))
  }

  private static let missingAuthor = MailError(
    "from", "the header has no From field, and no sender is given elsewhere", remedy: "add a From field")

  private func author(orElse from: Mailbox?) throws(MailError) -> Address {
    guard header.contains("from") else {
      guard let from else { throw RawMail.missingAuthor }
      return from.address
    }
    let authors = try header.mailboxes(of: "from")
    if authors.count == 1 { return authors[0].address }
    // Several authors require a Sender field (RFC 5322, 3.6.2).
    let senders = try header.mailboxes(of: "sender")
    guard senders.count == 1 else {
      throw MailError(
        "from", "the field has \(authors.count) addresses, but no Sender field names the one that sends",
        remedy: "add a Sender field, or give the envelope's sender")
    }
    return senders[0].address
  }

  private func headerRecipients() throws(MailError) -> [Address] {
    // To, Cc and Bcc name the recipients of the original mail (RFC 5322, 3.6.6), who must not receive it twice.
    guard !header.contains("resent-to", "resent-cc", "resent-bcc") else {
      throw MailError(
        "resent-to",
        "the header has Resent fields, so it is unclear who the new recipients are",
        remedy: "name the recipients explicitly")
    }
    var recipients = [Address]()
    for name in ["to", "cc", "bcc"] { recipients += try header.mailboxes(of: name).map(\.address) }
    return recipients
  }

  /// Returns the value from `<` to `>`, or an empty string if there is none.
  static func messageID(_ value: [UInt8]) -> String {
    guard let start = value.firstIndex(of: UInt8(ascii: "<")),
      let end = value.lastIndex(of: UInt8(ascii: ">")),
      start < end, value[start...end].allSatisfy({ $0 > 0x20 && $0 != 0x7F })
    else { return "" }
    return String(decoding: value[start...end], as: UTF8.self)
  }
}
