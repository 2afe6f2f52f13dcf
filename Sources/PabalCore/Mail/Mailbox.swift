/// A display name and an address, as From, To, Cc and Reply-To hold them.
public struct Mailbox: Sendable, Hashable, CustomStringConvertible {
  /// The name as people read it, not encoded; `nil` without one.
  public var name: String? { content?.text }
  /// The address.
  public let address: Address
  let content: HeaderText?

  /// The most octets of UTF-8 a display name may have.
  private static let nameLimit = 1_024

  /// A display name and an address; an empty name is none.
  ///
  /// Throws when the name holds a control character or line break, or more than 1,024 octets.
  public init(name: String?, address: Address) throws(MailError) {
    self.address = address
    if let name, !name.isEmpty {
      content = try HeaderText(name, field: "display name", limit: Mailbox.nameLimit)
    } else {
      content = nil
    }
  }

  /// A bare address.
  public init(_ address: Address) {
    self.address = address
    content = nil
  }

  /// Reads `Pabal <you@gmail.com>`, `"Kim, C" <a@b>` or a bare address, as people and RFC 5322 write them.
  public init(_ text: String) throws(MailError) {
    // No address or name is longer; a person's list belongs in several mailboxes.
    let text = try HeaderText(text, field: "mailbox", limit: 4_096)
    let mailboxes = try AddressList(Array(text.text.utf8), field: "mailbox").mailboxes
    guard let mailbox = mailboxes.first, mailboxes.count == 1 else {
      throw MailError(
        "mailbox", "\(quoted(text.text)) is not one address", remedy: "write it as Name <address>")
    }
    self = mailbox
  }

  /// `"Name" <address>`, or the bare address; reading it again gives the same mailbox.
  public var description: String {
    guard let name else { return address.description }
    var text = "\""
    for scalar in name.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\" <\(address)>"
  }
}
