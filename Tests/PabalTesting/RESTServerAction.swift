import Foundation

/// The action of a scripted API server for one request; see `Tests/Servers/rest.py`.
public struct RESTServerAction: Encodable, Sendable {
  /// The response's status.
  public var status: Int?
  /// The response's body.
  public var body: String?
  /// Additional headers of the response.
  public var headers: [String: String]?
  /// How many bytes of the request to read.
  public var request: Int?
  /// How many bytes of the response to write.
  public var answer: Int?
  /// Whether the connection is closed afterwards.
  public var close: Bool?
  /// Whether the connection is reset afterwards.
  public var reset: Bool?
  /// Whether to respond before the body is read.
  public var early: Bool?
  /// Whether the body is sent in chunks.
  public var chunked: Bool?
  /// Whether 100 Continue comes first.
  public var `continue`: Bool?
  /// Whether the response is sent byte by byte.
  public var drip: Bool?
  /// The seconds between the bytes.
  public var pause: Double?
  /// Whether no response is sent.
  public var stall: Bool?
  /// Whether the connection is closed without an announcement.
  public var parting: Bool?
  /// The bytes of the response, in Base64.
  public var raw: String?

  /// An action from its members; those that are `nil` do nothing.
  public init(
    status: Int? = nil, body: String? = nil, headers: [String: String]? = nil, request: Int? = nil,
    answer: Int? = nil, close: Bool? = nil, reset: Bool? = nil, early: Bool? = nil, chunked: Bool? = nil,
    continue: Bool? = nil, drip: Bool? = nil, pause: Double? = nil, stall: Bool? = nil, parting: Bool? = nil,
    raw: String? = nil
  ) {
    self.status = status
    self.body = body
    self.headers = headers
    self.request = request
    self.answer = answer
    self.close = close
    self.reset = reset
    self.early = early
    self.chunked = chunked
    self.`continue` = `continue`
    self.drip = drip
    self.pause = pause
    self.stall = stall
    self.parting = parting
    self.raw = raw
  }

  /// A response with this status and body.
  public static func status(_ status: Int, _ body: String = "", headers: [String: String]? = nil)
    -> RESTServerAction
  {
    RESTServerAction(status: status, body: body, headers: headers)
  }
  /// A response of these bytes.
  public static func raw(_ text: String, close: Bool? = nil) -> RESTServerAction {
    RESTServerAction(close: close, raw: Data(text.utf8).base64EncodedString())
  }
  /// The API's own response.
  public static let plain = RESTServerAction()
}
