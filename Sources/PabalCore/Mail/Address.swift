/// An e-mail address as an envelope carries it: local part, `@`, domain; the domain as A-labels.
public struct Address: Sendable, Hashable, CustomStringConvertible {
  /// The address without `<` and `>`.
  public let description: String

  /// Why a text is no address.
  public struct Problem: Error, Sendable, Hashable {
    /// What is wrong.
    public let what: String
  }

  /// Reads one address, without display name or comment.
  public init(_ text: String) throws(Problem) {
    guard text.contains("@") else { throw Problem(what: "no @") }
    description = text
  }
}
