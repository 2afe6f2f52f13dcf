public import PabalCore

/// A message with its values in place, ready to be made into a mail.
public struct RenderedMessage: Sendable, Hashable {
  /// The message's name, which is its folder's.
  public let name: String
  /// The language it is in, a BCP 47 tag for `Content-Language`.
  public let language: String
  /// One line, without control characters.
  public let subject: String
  /// The plain text; its lines end with a line feed.
  public let text: String
  /// A whole HTML page; its lines end with a line feed.
  public let html: String
  /// How urgent it is.
  public let lane: Lane
  /// How long after its making it is of use; `nil` where it does not age.
  public let lifetime: Duration?
  /// What becomes of it when nobody knows whether it was taken.
  public let unknownPolicy: UnknownPolicy
}
