internal import CPabalTransport

/// An envelope and finished RFC 5322 octets, lent for one call of `send`.
public struct PluginMail {
  let mail: UnsafePointer<pabal_mail>

  /// Pabal's own id of the mail, `[A-Za-z0-9-]+`, safe in a file name.
  public var id: String { String(cString: mail.pointee.id) }
  /// The Message-ID header with `<` and `>`, or empty.
  public var messageID: String { String(cString: mail.pointee.message_id) }
  /// The reverse path without `<>`; empty is the null one.
  public var sender: String { String(cString: mail.pointee.sender) }
  /// How many recipients there are; at least one.
  public var recipientCount: Int { mail.pointee.recipient_count }
  /// The recipients, without `<>`.
  public var recipients: [String] {
    (0..<recipientCount).map { index in mail.pointee.recipients[index].map { String(cString: $0) } ?? "" }
  }
  /// The finished octets; every line ends with CRLF.
  public var octets: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: mail.pointee.octets, count: mail.pointee.octet_count)
  }
  /// Whether an address or a header holds non-ASCII (RFC 6531).
  public var needsSMTPUTF8: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_SMTPUTF8) != 0 }
  /// Whether an octet is above 127 (RFC 6152).
  public var needs8BitMIME: Bool { mail.pointee.needs & UInt32(PABAL_NEEDS_8BITMIME) != 0 }
}
