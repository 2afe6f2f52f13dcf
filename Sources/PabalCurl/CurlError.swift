internal import CPabalCurl

/// An error of libcurl.
public struct CurlError: Error, Sendable, Hashable, CustomStringConvertible {
  /// libcurl's number for a kind of error (`man libcurl-errors`).
  public struct Code: RawRepresentable, Sendable, Hashable {
    /// The number.
    public let rawValue: UInt32
    /// The code with this number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
  }

  /// The kind of error.
  public let code: Code
  /// libcurl's description; never contains a password or a token.
  public let detail: String
  /// OpenSSL's result for the certificate (`X509_V_ERR_…`); 0 if there is none.
  public let certificate: Int
  /// The status of the proxy's response to CONNECT; 0 if there is none.
  public let proxyStatus: Int

  init(_ code: CURLcode, detail: String = "", certificate: Int = 0, proxyStatus: Int = 0) {
    self.code = Code(rawValue: code.rawValue)
    self.detail = detail.isEmpty ? String(cString: pabal_curl_error_text(code)) : detail
    self.certificate = certificate
    self.proxyStatus = proxyStatus
  }

  /// libcurl's description and number.
  public var description: String { "\(detail) (curl \(code.rawValue))" }
}

extension CurlError.Code {
  init(_ code: CURLcode) { self.init(rawValue: code.rawValue) }

  /// libcurl can't be loaded or initialized.
  public static var initialization: Self { Self(CURLE_FAILED_INIT) }
  /// libcurl was built without the protocol.
  public static var unsupportedProtocol: Self { Self(CURLE_UNSUPPORTED_PROTOCOL) }
  /// libcurl doesn't know the option.
  public static var unknownOption: Self { Self(CURLE_UNKNOWN_OPTION) }
  /// The URL is malformed.
  public static var malformed: Self { Self(CURLE_URL_MALFORMAT) }
  /// The name has no address.
  public static var unresolved: Self { Self(CURLE_COULDNT_RESOLVE_HOST) }
  /// The name of the proxy has no address.
  public static var proxyUnresolved: Self { Self(CURLE_COULDNT_RESOLVE_PROXY) }
  /// The server, or the proxy in front of it, refused the connection or isn't reachable.
  public static var unreachable: Self { Self(CURLE_COULDNT_CONNECT) }
  /// A timeout expired.
  public static var timedOut: Self { Self(CURLE_OPERATION_TIMEDOUT) }
  /// The TLS handshake failed.
  public static var handshake: Self { Self(CURLE_SSL_CONNECT_ERROR) }
  /// The server's certificate isn't trusted.
  public static var untrusted: Self { Self(CURLE_PEER_FAILED_VERIFICATION) }
  /// The trusted certificates can't be read.
  public static var noTrustStore: Self { Self(CURLE_SSL_CACERT_BADFILE) }
  /// A callback of the caller stopped the transfer.
  public static var abortedByCallback: Self { Self(CURLE_WRITE_ERROR) }
}
