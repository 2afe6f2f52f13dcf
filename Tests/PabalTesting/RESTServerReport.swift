public import Foundation

/// The report of a scripted API server on one port.
public struct RESTServerReport: Decodable, Sendable {
  /// A mail that was accepted.
  public struct Mail: Decodable, Sendable {
    /// The mail as received; `nil` above a million bytes.
    public let bytes: Data?
    /// The mail as delivered, without Bcc.
    public let delivered: Data?
    /// The size in bytes.
    public let size: Int
    /// The recipients in the header.
    public let recipients: [String]
    /// The addresses of To.
    public let to: [String]
    /// The addresses of Cc.
    public let cc: [String]
    /// The addresses of Bcc.
    public let bcc: [String]
  }

  /// The number of connections.
  public let connections: Int
  /// The number of requests of which at least one byte was received.
  public let begun: Int
  /// The number of POST requests that were received completely.
  public let whole: Int
  /// The sizes of those requests in bytes, head and body.
  public let lengths: [Int]
  /// The accepted mails, in order.
  public let taken: [Mail]
  /// The token of each request; `nil` for a request without one.
  public let tokens: [String?]
  /// Protocol violations of the client.
  public let strange: [String]
  /// The largest number of concurrent requests.
  public let mostUnderway: Int
}
