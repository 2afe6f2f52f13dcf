/// An envelope and finished RFC 5322 bytes.
public struct Mail: Sendable {
  /// Pabal's own id of the mail: 26 characters of `[A-Z0-9]`, safe in a file name.
  public let id: String
  /// The sender and the recipients this mail still has to reach.
  public let envelope: Envelope
  /// The Message-ID header's value with `<` and `>`, kept over all attempts; empty where a foreign mail has none.
  public let messageID: String
  /// The mail itself; every line, the last one too, ends with CRLF.
  public let bytes: [UInt8]
  /// Whether an envelope address or a header holds non-ASCII (RFC 6531).
  public let needsSMTPUTF8: Bool
  /// Whether an byte is above 127 (RFC 6152).
  public let needs8BitMIME: Bool

  /// A finished mail; whoever makes one has finished its bytes (`MailDraft`, `RawMail`).
  package init(
    id: String, envelope: Envelope, messageID: String, bytes: [UInt8], needsSMTPUTF8: Bool,
    needs8BitMIME: Bool
  ) {
    self.id = id
    self.envelope = envelope
    self.messageID = messageID
    self.bytes = bytes
    self.needsSMTPUTF8 = needsSMTPUTF8
    self.needs8BitMIME = needs8BitMIME
  }

  /// The same mail for fewer recipients, as retries and fail-over send it; `nil` when none are left.
  public func addressed(to recipients: [Address]) -> Mail? {
    guard let envelope = Envelope(sender: envelope.sender, recipients: recipients) else { return nil }
    return Mail(
      id: id, envelope: envelope, messageID: messageID, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }

  /// The same mail under another id, as a load test sends it again.
  package func withID(_ id: String) -> Mail {
    Mail(
      id: id, envelope: envelope, messageID: messageID, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }
}

/// Who sends a mail and who is to get it, as the next hop is told.
public struct Envelope: Sendable, Hashable {
  /// The reverse path; `nil` is the null one, `<>`.
  public let sender: Address?
  /// At least one recipient, none twice, in the order given.
  public let recipients: [Address]

  /// An envelope, or `nil` without a recipient.
  public init?(sender: Address?, recipients: [Address]) {
    guard recipients.count != 1 else {
      self.sender = sender
      self.recipients = recipients
      return
    }
    var seen = Set<Address>()
    let recipients = recipients.filter { seen.insert($0).inserted }
    guard !recipients.isEmpty else { return nil }
    self.sender = sender
    self.recipients = recipients
  }

  /// Whether an address in it holds non-ASCII (RFC 6531).
  var needsSMTPUTF8: Bool {
    sender?.needsSMTPUTF8 ?? false || recipients.contains { $0.needsSMTPUTF8 }
  }
}

/// Whom an envelope names as its sender, to whom the next hops report failures.
public enum EnvelopeSender: Sendable, Hashable {
  /// The author: the address of `from`.
  case author
  /// Another address, as a front door gave it.
  case address(Address)
  /// Nobody, `<>`: failures are reported to no one.
  case null
}
