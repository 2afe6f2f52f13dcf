public import Foundation

/// What came over a port of the fake Gmail.
public struct GmailReport: Decodable, Sendable {
  /// A mail that was taken.
  public struct Mail: Decodable, Sendable {
    /// As it came; nil above a million octets.
    public let octets: Data?
    /// As its recipients see it, without Bcc.
    public let delivered: Data?
    /// In octets.
    public let size: Int
    /// Whom its header names.
    public let recipients: [String]
    /// Of the To header.
    public let to: [String]
    /// Of the Cc header.
    public let cc: [String]
    /// Of the Bcc header.
    public let bcc: [String]
  }

  /// Connections that were made.
  public let connections: Int
  /// Requests of which at least one octet came.
  public let begun: Int
  /// POSTs that came to their last octet.
  public let whole: Int
  /// The octets of each POST that came to its last, head and body.
  public let lengths: [Int]
  /// The mails, in their order.
  public let taken: [Mail]
  /// The token of each request; nil where there was none.
  public let tokens: [String?]
  /// What no well-behaved client does.
  public let strange: [String]
  /// The most requests at once.
  public let mostUnderway: Int
}

/// `Tests/Servers/gmail.py`.
public enum FakeGmail {
  /// Started by whoever asks first.
  public static let shared = Result { try ScriptedServer("gmail.py") }
}
