/// What the page to try the service out needs beside the service.
public struct DemoDependencies: Sendable {
  /// The language of readers whose own the page isn't in: `ko` or `en`.
  public var language: String
  /// The octets of the mail of an id as its transport left them, where that is somewhere to be read.
  public var sentMail: @Sendable (String) -> [UInt8]?

  /// What the page needs.
  public init(language: String, sentMail: @escaping @Sendable (String) -> [UInt8]?) {
    self.language = language
    self.sentMail = sentMail
  }
}
