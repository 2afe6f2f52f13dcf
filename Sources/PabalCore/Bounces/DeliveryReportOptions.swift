/// How reports to the senders of submitted mail are written.
public struct DeliveryReportOptions: Sendable {
  /// The language of the text, a BCP 47 tag: Korean for `ko`, otherwise English.
  public var language = "en"
  /// The name of this service, as the reporting MTA.
  public var host = "localhost"
  /// The address in the From field; `nil` for `MAILER-DAEMON` at the host.
  public var from: Address?
  /// The age at which a sender is informed that a mail still waits; `nil`: never.
  public var delay: Duration?
  /// The largest mail that is returned as a whole, and the most of a header: as many bytes as Postfix returns.
  static let returnedLimit = 50_000

  /// The defaults.
  public init() {}
}
