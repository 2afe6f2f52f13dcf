/// A mail that a program submitted by SMTP or `sendmail`, where refusing what isn't quite RFC 5322 would lose mail.
///
/// The body is kept byte for byte. The header is kept as well, whatever it is encoded in; only a Received field is
/// added, Bcc, Resent-Bcc and Return-Path are removed, missing From, Date and Message-ID fields are added at its end, and
/// ``Changes`` are made. A DKIM-Signature that covers what is changed is removed. A mail that doesn't begin with a field has no header: all of it is the body.
package struct SubmittedMail: Sendable {
  /// How the lines of a mail end.
  package enum LineEnds: Sendable {
    /// With CRLF; anything else is an error.
    case crlf
    /// With CRLF or LF, as in the input of `sendmail`. A part with a lone CR or a NUL is encoded as base64.
    case any
  }

  private let bytes: [UInt8]
  private let bodyStart: Int
  private let body: SubmittedBody
  /// The header fields as received.
  package let header: MailHeader

  /// Parses the header of a mail.
  ///
  /// A line that an mbox file puts before the header is skipped, and so is a byte order mark. Throws if the header contains
  /// a NUL, a lone CR or more than 256 KiB, or if the body has other line ends than `lineEnds` allows.
  package init(_ bytes: [UInt8], lineEnds: LineEnds) throws(MailError) {
    var bodyStart = 0
    header = try bytes.withUnsafeBufferPointer { mail throws(MailError) in
      let start = SubmittedMail.headerStart(mail)
      let header = try MailHeader(
        of: UnsafeBufferPointer(rebasing: mail[start...]), syntax: .tolerant, bodyStart: &bodyStart)
      bodyStart += start
      return header
    }
    body = SubmittedBody(bytes, from: lineEnds == .any ? bodyStart : 0)
    guard lineEnds == .any || !body.hasBareLF && !body.hasLoneCROrNUL else {
      throw MailError(
        "body", "a line doesn't end with CRLF, or contains a NUL", remedy: "end each line with CRLF")
    }
    self.bytes = bytes
    self.bodyStart = bodyStart
  }

  /// Whether so many systems have received the mail that it must be in a loop.
  package var isLooping: Bool { header.fields.count { $0.name == "received" } > ReceivedField.limit }

  /// Returns the recipients that the header names, for `sendmail -t`: those of To, Cc and Bcc or, if the mail is being
  /// resent, those of the Resent fields (RFC 5322, 3.6.6). Names such as `root` are addresses in `domain`.
  package func headerRecipients(completing domain: String) throws(MailError) -> [Address] {
    let isResent = header.contains("resent-to", "resent-cc", "resent-bcc")
    var recipients: [Address] = []
    for name in ["to", "cc", "bcc"] {
      let field = isResent ? "resent-" + name : name
      for value in header.values(of: field) {
        recipients += try AddressList(value, field: field, completing: domain).mailboxes.map(\.address)
      }
    }
    return recipients
  }

  /// What is changed in the header besides what each mail needs.
  package struct Changes: Sendable {
    /// How addresses are rewritten; `nil`: not at all.
    package var rewriting: AddressRewriting?
    /// The author instead of the one that the mail has.
    package var author: Mailbox?

    /// No changes.
    package init() {}
  }

  /// A mail that is ready to be sent, and what became of its signatures.
  package struct Finished: Sendable {
    /// The mail.
    package let mail: Mail
    /// The signatures that would be invalid, and were removed.
    package let removedSignatures: [RemovedSignature]
  }

  /// Returns the finished mail.
  ///
  /// - Parameters:
  ///   - envelope: The envelope, with aliases replaced.
  ///   - received: The Received field to add.
  ///   - isInternational: Whether the client said SMTPUTF8.
  ///   - authorName: The display name in a From field that is added.
  ///   - identity: The mail's id and date.
  ///   - changes: What else is changed in the header.
  package func finish(
    envelope: Envelope, received: ReceivedField, isInternational: Bool = false, authorName: String? = nil,
    identity: MailIdentity, changes: Changes = Changes()
  ) throws(MailError) -> Finished {
    let encoded = try encodedBody()
    var header = EditedHeader(header)
    header.remove(["bcc", "resent-bcc", "return-path"])
    var removedSignatures = declare(encoded, in: &header)
    if let rewriting = changes.rewriting { try header.rewrite(rewriting) }
    if let author = changes.author {
      header.force(author, completing: changes.rewriting?.domain ?? received.host)
    }
    let messageID = try complete(
      &header, envelope, received, changes.author == nil ? authorName : nil, identity,
      hasAuthor: changes.author != nil)
    header.prepend(received, identity)
    removedSignatures += header.removeBrokenSignatures()

    var finished: [UInt8] = []
    finished.reserveCapacity(
      1_024 + bodyStart + (encoded?.body.count ?? bytes.count - bodyStart + body.bareLFs))
    header.append(to: &finished)
    let headerHas8Bit = finished.has8Bit(from: 0)
    finished.append(ascii: "\r\n")
    let start = finished.count
    if let encoded {
      finished.append(contentsOf: encoded.body)
    } else {
      bytes.withUnsafeBufferPointer { bytes in
        if body.hasBareLF {
          finished.append(normalizing: bytes, in: bodyStart..<bytes.count)
        } else {
          finished.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[bodyStart...]))
          // Each line ends with CRLF, the last one too.
          if bodyStart < bytes.count, bytes.last != 0x0A { finished.append(ascii: "\r\n") }
        }
      }
    }
    let mail = Mail(
      id: identity.id, envelope: envelope, messageID: messageID, bytes: finished,
      needsSMTPUTF8: envelope.needsSMTPUTF8 || isInternational && headerHas8Bit,
      needs8BitMIME: headerHas8Bit || finished.has8Bit(from: start))
    return Finished(mail: mail, removedSignatures: removedSignatures)
  }

  /// Returns the mail with lines that SMTP can carry, if it has a part that is encoded for that; otherwise `nil`.
  package func encodedForSMTP() throws(MailError) -> [UInt8]? {
    guard let encoded = try encodedBody() else { return nil }
    var header = EditedHeader(header)
    _ = declare(encoded, in: &header)
    var finished: [UInt8] = []
    header.append(to: &finished)
    finished.append(ascii: "\r\n")
    finished.append(contentsOf: encoded.body)
    return finished
  }

  /// Returns the mail with all parts encoded that aren't lines of ASCII; `nil` if its header isn't ASCII, if a part can't be
  /// encoded, or if nothing needs to be.
  func encodedAsSevenBit() -> [UInt8]? {
    let encoded = try? bytes.withUnsafeBufferPointer { bytes throws(MailError) in
      try BinaryPartEncoder(bytes, bodyStart: bodyStart, scope: .sevenBit).encode(self.header)
    }
    guard let encoded = encoded ?? nil else { return nil }
    var header = EditedHeader(self.header)
    _ = declare(encoded, in: &header, isUTF8: String(validating: bytes[bodyStart...], as: UTF8.self) != nil)
    var finished: [UInt8] = []
    header.append(to: &finished)
    finished.append(ascii: "\r\n")
    finished.append(contentsOf: encoded.body)
    return finished
  }

  /// Makes the header say how the body is encoded. Returns the signatures, which are removed because they cover the body.
  private func declare(
    _ encoded: EncodedBody?, in header: inout EditedHeader, isUTF8: Bool? = nil
  ) -> [RemovedSignature] {
    guard let encoded else { return [] }
    if let encoding = encoded.encoding {
      var additions = HeaderWriter(capacity: 128)
      if !self.header.contains("mime-version") { additions.append("MIME-Version", token: "1.0") }
      if !self.header.contains("content-type"), isUTF8 ?? body.isUTF8 {
        additions.append("Content-Type", token: "text/plain; charset=utf-8")
      }
      additions.append("Content-Transfer-Encoding", token: encoding)
      header.remove(["content-transfer-encoding"])
      header.append(additions.finished())
    }
    return header.removeSignaturesOfBody()
  }

  /// Adds the fields that each mail must have (RFC 5322, 3.6) and Message-ID. Returns the Message-ID.
  private func complete(
    _ header: inout EditedHeader, _ envelope: Envelope, _ received: ReceivedField, _ authorName: String?,
    _ identity: MailIdentity, hasAuthor: Bool
  ) throws(MailError) -> String {
    var additions = HeaderWriter(capacity: 256)
    if !hasAuthor, !self.header.contains("from") {
      let author = try SubmittedMail.author(envelope, host: received.host)
      additions.append("From", [try Mailbox(name: authorName, address: author)])
    }
    if !self.header.contains("date") { additions.append("Date", token: identity.date) }
    let known = self.header.values(of: "message-id").first
    let messageID =
      known.map(RawMail.messageID)
      ?? "<\(identity.messageIDToken)@\(envelope.sender?.domain ?? received.host)>"
    if known == nil { additions.append("Message-ID", token: messageID) }
    header.append(additions.finished())
    return messageID
  }

  private static func author(_ envelope: Envelope, host: String) throws(MailError) -> Address {
    if let sender = envelope.sender { return sender }
    do throws(AddressError) {
      return try Address("MAILER-DAEMON@\(host)")
    } catch {
      throw MailError("from", error.message, remedy: "give the service a valid host name")
    }
  }

  /// Returns the body with the parts encoded that have a lone CR or a NUL; `nil` if there are none.
  private func encodedBody() throws(MailError) -> EncodedBody? {
    guard body.hasLoneCROrNUL else { return nil }
    let encoded = try bytes.withUnsafeBufferPointer { bytes throws(MailError) in
      if let encoded = try BinaryPartEncoder(bytes, bodyStart: bodyStart, scope: .unsendable).encode(header) {
        return encoded
      }
      // The lone CRs are between the parts, or in a part that is encoded already.
      var body: [UInt8] = []
      body.append(normalizing: bytes, in: bodyStart..<bytes.count)
      return EncodedBody(body: body, encoding: nil)
    }
    guard !encoded.body.contains(0) else {
      throw MailError("body", "a part that can't be encoded contains a NUL character", remedy: "remove it")
    }
    return encoded
  }

  /// Returns where the header starts: behind a line `From …`, which separates the mails of an mbox file, or behind a byte
  /// order mark.
  private static func headerStart(_ mail: UnsafeBufferPointer<UInt8>) -> Int {
    if mail.starts(with: [0xEF, 0xBB, 0xBF]) { return MailHeader.beginsWithField(mail, at: 3) ? 3 : 0 }
    // Most mails begin with another letter.
    guard mail.first == UInt8(ascii: "F") || mail.first == UInt8(ascii: ">") else { return 0 }
    let next = min(LineScanner.find(0x0A, in: mail, from: 0) + 1, mail.count)
    guard MailboxLine.matches(mail[..<next]) else { return 0 }
    // Without a header behind it, it is text that begins with this word.
    return MailHeader.beginsWithField(mail, at: next) ? next : 0
  }
}

/// What one pass over the lines of a submitted body finds.
private struct SubmittedBody {
  /// The number of lines that end with LF alone.
  private(set) var bareLFs = 0
  /// Whether there is a NUL, or a CR that no LF follows.
  let hasLoneCROrNUL: Bool
  /// Whether the body is UTF-8.
  let isUTF8: Bool

  var hasBareLF: Bool { bareLFs > 0 }

  init(_ bytes: [UInt8], from start: Int) {
    (bareLFs, hasLoneCROrNUL, isUTF8) = bytes.withUnsafeBufferPointer { bytes in
      var bareLFs = 0
      var next = LineScanner.find(0x0A, in: bytes, from: start)
      while next < bytes.count {
        if next == start || bytes[next - 1] != 0x0D { bareLFs += 1 }
        next = LineScanner.find(0x0A, in: bytes, from: next + 1)
      }
      let hasLoneCROrNUL = bytes.hasLoneCROrNUL(in: start..<bytes.count)
      let isUTF8 =
        hasLoneCROrNUL
        && String(validating: UnsafeBufferPointer(rebasing: bytes[start...]), as: UTF8.self) != nil
      return (bareLFs, hasLoneCROrNUL, isUTF8)
    }
  }
}
