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
