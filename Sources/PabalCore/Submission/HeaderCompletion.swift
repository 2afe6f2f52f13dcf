/// Header fields that `sendmail` adds to a mail that lacks them.
package enum HeaderCompletion {
  /// Returns a From field with its CRLF. A name that can't be a display name is left out.
  package static func from(name: String?, _ address: Address) -> [UInt8] {
    let mailbox = (try? Mailbox(name: name, address: address)) ?? Mailbox(address)
    var writer = HeaderWriter(capacity: 128)
    writer.append("From", [mailbox])
    return writer.finished()
  }

  /// Returns a Date field with the current time and its CRLF.
  package static func date() -> [UInt8] {
    var writer = HeaderWriter(capacity: 64)
    writer.append("Date", token: MailIdentity.now().date)
    return writer.finished()
  }
}
