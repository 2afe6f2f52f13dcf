/// Why no mail could be made: which part of it, what is wrong, and what to do next.
public struct MailError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The part at fault, such as `subject`, `to` or `header line 3`.
  public let field: String
  /// What is wrong, and why; one sentence without its full stop, printable whatever the input was.
  public let message: String
  /// What to do next; one sentence without its full stop.
  public let remedy: String?

  /// Why no mail could be made.
  public init(_ field: String, _ message: String, remedy: String? = nil) {
    self.field = field
    self.message = message
    self.remedy = remedy
  }

  /// `field: message; remedy`.
  public var description: String { "\(field): \(message)" + (remedy.map { "; \($0)" } ?? "") }
}
