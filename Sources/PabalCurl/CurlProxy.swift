/// An HTTP proxy that opens connections by CONNECT.
public struct CurlProxy: Sendable, Hashable, CustomStringConvertible {
  /// The host; an IPv6 address in brackets.
  public let host: String
  /// The port.
  public let port: UInt16
  /// The user for the proxy, if it wants one.
  public let user: String?
  /// The password for the proxy.
  public let password: String?

  /// Creates a proxy.
  public init(host: String, port: UInt16, user: String? = nil, password: String? = nil) {
    self.host = host
    self.port = port
    self.user = user
    self.password = password
  }

  /// `http://host:port`, without the user and the password.
  public var description: String { url }

  var url: String { "http://\(host):\(port)" }
}

/// What a proxy is the cause of, in words that every transport and account uses alike.
public struct CurlProxyFailure: Sendable, Hashable {
  /// What is wrong and what to do; one sentence without its full stop.
  public let message: String
  /// Whether a person has to change something; otherwise a later attempt may succeed.
  public let needsChange: Bool
}

extension CurlProxy {
  /// Returns what is wrong with the proxy if it caused `error` while connecting to `host`; `nil` for errors of the
  /// server behind it.
  ///
  /// `setting` names the proxy's setting, as errors quote it.
  public func failure(_ error: CurlError, connectingTo host: String, setting: String = "\"proxy\"")
    -> CurlProxyFailure?
  {
    switch error.code {
    case .proxyUnresolved:
      return CurlProxyFailure(
        message: "the proxy \(self) has no address; check \(setting)", needsChange: false)
    case .unreachable:
      return CurlProxyFailure(
        message: "the proxy \(self) doesn't accept connections (\(error)); check \(setting)",
        needsChange: false)
    default: break
    }
    switch error.proxyStatus {
    case 0, 200...299: return nil
    case 407:
      return CurlProxyFailure(
        message: user == nil
          ? "the proxy \(self) requires a user and a password (status 407); add them to \(setting), which can be a secret"
          : "the proxy \(self) refuses the user or the password in \(setting) (status 407); correct them",
        needsChange: true)
    case 408, 429, 500...:
      return CurlProxyFailure(
        message: "the proxy \(self) can't connect to \(host) (status \(error.proxyStatus))",
        needsChange: false)
    default:
      return CurlProxyFailure(
        message:
          "the proxy \(self) doesn't allow connections to \(host) (status \(error.proxyStatus)); ask its operator to allow them, or check \(setting)",
        needsChange: true)
    }
  }
}
