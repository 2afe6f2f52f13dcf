/// A finished mail: an envelope and RFC 5322 bytes.
public struct Mail: Sendable {
  /// Pabal's id of the mail: 26 characters of `[A-Z0-9]`, safe in a file name.
  public let id: String
  /// The sender and the remaining recipients.
  public let envelope: Envelope
  /// The value of the Message-ID header with `<` and `>`, the same for all attempts; empty if a raw mail's
  /// Message-ID can't be read.
  public let messageID: String
  /// The mail itself; every line, including the last one, ends with CRLF.
  public let bytes: [UInt8]
  /// Whether an envelope address or a header field contains non-ASCII characters (RFC 6531).
  public let needsSMTPUTF8: Bool
  /// Whether the mail contains bytes above 127 (RFC 6152).
  public let needs8BitMIME: Bool

  /// Creates a mail from finished bytes; use `MailDraft` or `RawMail` to produce them.
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

  /// Returns the same mail for fewer recipients, for retries and fail-over; `nil` if `recipients` is empty.
  public func addressed(to recipients: [Address]) -> Mail? {
    guard let envelope = Envelope(sender: envelope.sender, recipients: recipients) else { return nil }
    return Mail(
      id: id, envelope: envelope, messageID: messageID, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }

  /// Returns the same mail with another id, for sending it repeatedly in a load test.
  package func withID(_ id: String) -> Mail {
    Mail(
      id: id, envelope: envelope, messageID: messageID, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }
}

/// The SMTP envelope of a mail: its sender and recipients.
public struct Envelope: Sendable, Hashable {
  /// The reverse path; `nil` stands for the null path, `<>`.
  public let sender: Address?
  /// The recipients without duplicates, in the order given; at least one.
  public let recipients: [Address]

  /// Creates an envelope; returns `nil` without a recipient.
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

  /// Whether an address contains non-ASCII characters (RFC 6531).
  var needsSMTPUTF8: Bool {
    sender?.needsSMTPUTF8 ?? false || recipients.contains { $0.needsSMTPUTF8 }
  }
}

/// The sender of an envelope, which receives failure reports from the next hops.
public enum EnvelopeSender: Sendable, Hashable {
  /// The author: the address of `from`.
  case author
  /// An explicit address.
  case address(Address)
  /// The null sender `<>`: no failure reports are sent.
  case null
}
