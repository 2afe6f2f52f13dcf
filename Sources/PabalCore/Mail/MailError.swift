/// Why a mail couldn't be created: the part at fault, what is wrong, and what to do.
public struct MailError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The part at fault, such as `subject`, `to` or `header line 3`.
  public let field: String
  /// What is wrong: one sentence without a full stop. Non-printable input is escaped.
  public let message: String
  /// What to do: one sentence without a full stop.
  public let remedy: String?

  /// Creates an error about `field`.
  public init(_ field: String, _ message: String, remedy: String? = nil) {
    self.field = field
    self.message = message
    self.remedy = remedy
  }

  /// `field: message; remedy`.
  public var description: String { "\(field): \(message)" + (remedy.map { "; \($0)" } ?? "") }
}
