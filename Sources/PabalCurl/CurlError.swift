internal import CPabalCurl

/// What libcurl could not do, in words.
public struct CurlError: Error, Sendable, Hashable, CustomStringConvertible {
  /// libcurl's number for a kind of failure (`man libcurl-errors`).
  public struct Code: RawRepresentable, Sendable, Hashable {
    /// The number.
    public let rawValue: UInt32
    /// A code by its number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
  }

  /// The kind of failure.
  public let code: Code
  /// libcurl's own words; never a password or a token.
  public let detail: String
  /// OpenSSL's verdict on the certificate (`X509_V_ERR_…`), 0 when there is none.
  public let certificate: Int

  init(_ code: CURLcode, detail: String = "", certificate: Int = 0) {
    self.code = Code(rawValue: code.rawValue)
    self.detail = detail.isEmpty ? String(cString: pabal_curl_error_text(code)) : detail
    self.certificate = certificate
  }

  /// libcurl's words and number.
  public var description: String { "\(detail) (curl \(code.rawValue))" }
}

extension CurlError.Code {
  init(_ code: CURLcode) { self.init(rawValue: code.rawValue) }

  /// The URL can't be read.
  public static var malformed: Self { Self(CURLE_URL_MALFORMAT) }
  /// The name has no address.
  public static var unresolved: Self { Self(CURLE_COULDNT_RESOLVE_HOST) }
  /// Nobody listens there, or no way leads there.
  public static var unreachable: Self { Self(CURLE_COULDNT_CONNECT) }
  /// The server said something that doesn't fit.
  public static var unexpectedReply: Self { Self(CURLE_WEIRD_SERVER_REPLY) }
  /// Time ran out.
  public static var timedOut: Self { Self(CURLE_OPERATION_TIMEDOUT) }
  /// TLS could not be agreed on.
  public static var handshake: Self { Self(CURLE_SSL_CONNECT_ERROR) }
  /// The server's certificate isn't to be trusted.
  public static var untrusted: Self { Self(CURLE_PEER_FAILED_VERIFICATION) }
  /// The trust store can't be read.
  public static var noTrustStore: Self { Self(CURLE_SSL_CACERT_BADFILE) }
  /// STARTTLS was asked for and isn't to be had.
  public static var tlsUnavailable: Self { Self(CURLE_USE_SSL_FAILED) }
  /// The login was refused.
  public static var loginDenied: Self { Self(CURLE_LOGIN_DENIED) }
  /// A callback of the caller's stopped the transfer.
  public static var abortedByCallback: Self { Self(CURLE_WRITE_ERROR) }
}
