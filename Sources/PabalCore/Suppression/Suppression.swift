/// An address on the suppression list: bulk mail isn't sent to it.
public struct Suppression: Sendable, Hashable {
  /// Why an address is on the list.
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// Added by a command.
    case manual = "manual"
    /// A mail to it came back because the address doesn't work.
    case bounce = "bounce"
  }

  /// The address as it was added.
  public let address: Address
  /// Why it is on the list.
  public let reason: Reason
  /// The status code of the bounce, such as `5.1.1`, if there was one.
  public let status: String?
  /// The id of the mail that came back.
  public let mail: String?
  /// When it was added.
  public let added: Timestamp

  /// An address on the list.
  public init(
    _ address: Address, reason: Reason = .manual, status: String? = nil, mail: String? = nil, added: Timestamp
  ) {
    self.address = address
    self.reason = reason
    self.status = status
    self.mail = mail
    self.added = added
  }

  /// Why a recipient got no mail, in the form of a reply.
  var reply: String {
    let cause =
      switch reason {
      case .manual: "added to the suppression list"
      case .bounce: "on the suppression list because a mail came back\(status.map { " (\($0))" } ?? "")"
      }
    return "not sent: \(cause), \(added.text); remove it with `pabal suppress remove`"
  }
}

/// An entry of the suppression list as stores keep it: nothing in it reveals the address without the key.
public struct SuppressionRecord: Sendable, Hashable {
  /// The keyed digest of the address.
  public let key: [UInt8]
  /// The sealed address.
  public let sealed: [UInt8]
  /// Why it is on the list.
  public let reason: Suppression.Reason
  /// The status code of the bounce.
  public let status: String?
  /// The id of the mail that came back.
  public let mail: String?
  /// When it was added.
  public let added: Timestamp

  /// An entry with all properties.
  public init(
    key: [UInt8], sealed: [UInt8], reason: Suppression.Reason, status: String?, mail: String?,
    added: Timestamp
  ) {
    self.key = key
    self.sealed = sealed
    self.reason = reason
    self.status = status
    self.mail = mail
    self.added = added
  }
}
