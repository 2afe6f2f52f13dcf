/// An envelope and finished RFC 5322 octets.
public struct Mail: Sendable {
  /// Pabal's own id of the mail: 26 characters of `[A-Z0-9]`, safe in a file name.
  public let id: String
  /// The sender and the recipients this mail still has to reach.
  public let envelope: Envelope
  /// The Message-ID header's value with `<` and `>`, kept over all attempts; empty where a foreign mail has none.
  public let messageID: String
  /// The mail itself; every line, the last one too, ends with CRLF.
  public let octets: [UInt8]
  /// Whether an envelope address or a header holds non-ASCII (RFC 6531).
  public let needsSMTPUTF8: Bool
  /// Whether an octet is above 127 (RFC 6152).
  public let needs8BitMIME: Bool

  /// A finished mail; whoever makes one has finished its octets (`MailDraft`, `RawMail`).
  package init(
    id: String, envelope: Envelope, messageID: String, octets: [UInt8], needsSMTPUTF8: Bool,
    needs8BitMIME: Bool
  ) {
    self.id = id
    self.envelope = envelope
    self.messageID = messageID
    self.octets = octets
    self.needsSMTPUTF8 = needsSMTPUTF8
    self.needs8BitMIME = needs8BitMIME
  }

  /// The same mail for fewer recipients, as retries and fail-over send it; `nil` when none are left.
  public func addressed(to recipients: [Address]) -> Mail? {
    guard let envelope = Envelope(sender: envelope.sender, recipients: recipients) else { return nil }
    return Mail(
      id: id, envelope: envelope, messageID: messageID, octets: octets, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }

  /// The same mail under another id, as a load test sends it again.
  package func withID(_ id: String) -> Mail {
    Mail(
      id: id, envelope: envelope, messageID: messageID, octets: octets, needsSMTPUTF8: needsSMTPUTF8,
      needs8BitMIME: needs8BitMIME)
  }
}
