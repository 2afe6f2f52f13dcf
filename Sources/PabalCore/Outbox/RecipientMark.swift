/// What became of a recipient of a mail, apart from what a server answered. It is kept after the content is erased.
public struct RecipientMark: Sendable, Hashable {
  /// What became of it.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// It is on the suppression list, so the mail wasn't sent to it.
    case suppressed = "suppressed"
    /// The mail came back, because it will never be delivered.
    case bounced = "bounced"
    /// A report said that the mail hasn't been delivered yet.
    case delayed = "delayed"
  }

  /// The recipient's place in the envelope.
  public var position: Int
  /// What became of it.
  public var kind: Kind
  /// The status code of RFC 3463, if a report had one.
  public var status: String?
  /// The address, sealed for the mail's id.
  public var sealed: [UInt8]
  /// When it was recorded.
  public var at: Timestamp

  /// What became of the recipient at `position`.
  public init(position: Int, kind: Kind, status: String? = nil, sealed: [UInt8], at: Timestamp) {
    self.position = position
    self.kind = kind
    self.status = status
    self.sealed = sealed
    self.at = at
  }

  /// Whether it replaces `other`, an earlier mark of the same recipient. A delay doesn't replace a bounce.
  package func replaces(_ other: RecipientMark) -> Bool { kind != .delayed || other.kind == .delayed }
}
