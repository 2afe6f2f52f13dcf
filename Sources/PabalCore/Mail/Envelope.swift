/// Who sends a mail and who is to get it, as the next hop is told.
public struct Envelope: Sendable, Hashable {
  /// The reverse path; `nil` is the null one, `<>`.
  public let sender: Address?
  /// At least one recipient, none twice, in the order given.
  public let recipients: [Address]

  /// An envelope, or `nil` without a recipient.
  public init?(sender: Address?, recipients: [Address]) {
    var seen = Set<Address>()
    let recipients = recipients.filter { seen.insert($0).inserted }
    guard !recipients.isEmpty else { return nil }
    self.sender = sender
    self.recipients = recipients
  }
}
