/// What a mail is to say and to whom, before it is finished into bytes.
public struct MailDraft: Sendable, Hashable {
  /// Whom the mail is from.
  public var from: Mailbox
  /// The recipients that the mail names first.
  public var to: [Mailbox]
  /// The recipients that the mail names as having a copy.
  public var cc: [Mailbox]
  /// The recipients that the mail does not name.
  public var bcc: [Mailbox]
  /// Where answers go, if not to `from`.
  public var replyTo: Mailbox?
  /// The subject, any Unicode but controls and line breaks, at most 16,384 bytes of UTF-8.
  public var subject: String
  /// The words as plain text; `nil` only where there is `html`.
  public var text: String?
  /// The words as HTML.
  public var html: String?
  /// The language of the words, a BCP 47 tag such as `ko` or `en-GB`.
  public var language: String?
  /// Whether a program sends it and nobody's vacation notice should answer (RFC 3834).
  public var autoSubmitted: Bool
  /// Further header fields, in the order they are to stand.
  public var headers: [HeaderField]
  /// Whom the envelope names as its sender.
  public var sender: EnvelopeSender

  /// A mail in the making; recipients and words may come later.
  public init(
    from: Mailbox, to: [Mailbox] = [], cc: [Mailbox] = [], bcc: [Mailbox] = [], replyTo: Mailbox? = nil,
    subject: String, text: String? = nil, html: String? = nil, language: String? = nil,
    autoSubmitted: Bool = false, headers: [HeaderField] = [], sender: EnvelopeSender = .author
  ) {
    self.from = from
    self.to = to
    self.cc = cc
    self.bcc = bcc
    self.replyTo = replyTo
    self.subject = subject
    self.text = text
    self.html = html
    self.language = language
    self.autoSubmitted = autoSubmitted
    self.headers = headers
    self.sender = sender
  }

  /// The finished mail; throws when it has no recipient or no words, or a part that no mail can hold.
  public func finish(identity: MailIdentity) throws(MailError) -> Mail {
    let subject = try HeaderText(subject, field: "subject")
    let language = try language.map { tag throws(MailError) in try MailDraft.check(language: tag) }
    let text = try text.map { text throws(MailError) in try BodyPart(text, field: "text") }
    let html = try html.map { html throws(MailError) in try BodyPart(html, field: "html") }
    guard text != nil || html != nil else {
      throw MailError("text", "the mail has neither text nor HTML", remedy: "give it one of them")
    }
    let envelopeSender =
      switch sender {
      case .author: from.address
      case .address(let address): address
      case .null: Address?.none
      }
    let recipients = [to, cc, bcc].joined().map(\.address)
    guard let envelope = Envelope(sender: envelopeSender, recipients: recipients) else {
      throw MailError("to", "the mail has no recipient", remedy: "name at least one")
    }
    let messageID = "<\(identity.token)@\(from.address.domain)>"

    var header = HeaderWriter(
      capacity: 1_024 + 64 * (to.count + cc.count) + (text?.capacity ?? 0) + (html?.capacity ?? 0))
    header.append("Date", token: identity.date)
    header.append("From", [from])
    header.append("Reply-To", replyTo.map { [$0] } ?? [])
    header.append("To", to)
    header.append("Cc", cc)
    if to.isEmpty, cc.isEmpty { header.append("To", token: "undisclosed-recipients:;") }
    header.append("Subject", subject)
    header.append("Message-ID", token: messageID)
    if autoSubmitted {
      header.append("Auto-Submitted", token: "auto-generated")
      header.append("X-Auto-Response-Suppress", token: "All")
    }
    if let language { header.append("Content-Language", token: language) }
    for field in headers { header.append(field) }
    header.append("MIME-Version", token: "1.0")

    let needsUTF8InHeader =
      from.address.needsSMTPUTF8 || replyTo?.address.needsSMTPUTF8 ?? false
      || (to + cc).contains { $0.address.needsSMTPUTF8 }
    return Mail(
      id: identity.id, envelope: envelope, messageID: messageID,
      bytes: MailDraft.bytes(header, text: text, html: html, boundary: identity.boundary),
      needsSMTPUTF8: needsUTF8InHeader || envelope.needsSMTPUTF8, needs8BitMIME: needsUTF8InHeader)
  }

  private static func bytes(
    _ header: consuming HeaderWriter, text: BodyPart?, html: BodyPart?, boundary: String
  ) -> [UInt8] {
    guard let text, let html else {
      var bytes = header.finished()
      text?.append(subtype: "plain", to: &bytes)
      html?.append(subtype: "html", to: &bytes)
      return bytes
    }
    header.append("Content-Type", token: "multipart/alternative; boundary=\"\(boundary)\"")
    var bytes = header.finished()
    bytes.append(ascii: "\r\n")
    for (subtype, part) in [("plain", text), ("html", html)] {
      bytes.append(ascii: "--")
      bytes.append(text: boundary)
      bytes.append(ascii: "\r\n")
      part.append(subtype: subtype, to: &bytes)
      bytes.append(ascii: "\r\n")
    }
    bytes.append(ascii: "--")
    bytes.append(text: boundary)
    bytes.append(ascii: "--\r\n")
    return bytes
  }

  /// RFC 5646, 2.1, as far as its shape goes: subtags of one to eight letters and digits.
  private static func check(language: String) throws(MailError) -> String {
    let subtags = language.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    let isTag = subtags.allSatisfy { subtag in
      (1...8).contains(subtag.count)
        && subtag.allSatisfy {
          switch $0 {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
          default: false
          }
        }
    }
    guard isTag, language.utf8.count <= 64 else {
      throw MailError(
        "language", "\(quoted(language)) is no language tag", remedy: "write it like ko or en-GB")
    }
    return language
  }
}
