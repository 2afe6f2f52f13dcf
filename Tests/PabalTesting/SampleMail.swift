public import PabalCore

extension Mail {
  /// A mail for tests, made without the composer.
  public static func sample(
    to recipients: [String] = ["bob@example.org"], from sender: String? = "alice@example.test",
    octets: [UInt8] = Array("Subject: x\r\n\r\nhello\r\n".utf8), id: String = "01JD0000000000000000000000",
    needsSMTPUTF8: Bool = false, needs8BitMIME: Bool = false
  ) throws -> Mail {
    guard
      let envelope = Envelope(
        sender: try sender.map { address throws(AddressError) in try Address(address) },
        recipients: try recipients.map { address throws(AddressError) in try Address(address) })
    else { throw MissingRecipientError() }
    return Mail(
      id: id, envelope: envelope, messageID: "<\(id)@example.test>", octets: octets,
      needsSMTPUTF8: needsSMTPUTF8, needs8BitMIME: needs8BitMIME)
  }
}

/// A sample was asked for without a recipient.
public struct MissingRecipientError: Error {}
