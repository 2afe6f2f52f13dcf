internal import CPabalCurl

/// One of libcurl's options and the type of its value.
///
/// Only options that a caller may vary are here; what every handle needs is set by `CurlHandle.init`.
public struct CurlOption<Value>: Sendable {
  let number: UInt32

  init(_ option: CURLoption) { number = option.rawValue }
  var option: CURLoption { CURLoption(number) }
}

extension CurlOption<String> {
  /// Where to go.
  public static var url: Self { Self(CURLOPT_URL) }
  /// The user who logs in.
  public static var user: Self { Self(CURLOPT_USERNAME) }
  /// The user's password.
  public static var password: Self { Self(CURLOPT_PASSWORD) }
  /// An OAuth 2.0 access token.
  public static var bearer: Self { Self(CURLOPT_XOAUTH2_BEARER) }
  /// Which login mechanisms may be used, such as `AUTH=XOAUTH2`.
  public static var loginOptions: Self { Self(CURLOPT_LOGIN_OPTIONS) }
  /// The User-Agent header.
  public static var userAgent: Self { Self(CURLOPT_USERAGENT) }
}

extension CurlOption<Bool> {
  /// Connects, secures and logs in; the dialogue is then the caller's, by `send` and `receive`.
  public static var connectOnly: Self { Self(CURLOPT_CONNECT_ONLY) }
  /// The first response of a login goes out with the command that starts it.
  public static var initialResponse: Self { Self(CURLOPT_SASL_IR) }
  /// A POST.
  public static var post: Self { Self(CURLOPT_POST) }
}

extension CurlOption<Duration> {
  /// The longest time to connect, with TLS.
  public static var connectTimeout: Self { Self(CURLOPT_CONNECTTIMEOUT_MS) }
  /// The longest time for all of `perform`.
  public static var totalTimeout: Self { Self(CURLOPT_TIMEOUT_MS) }
}

extension CurlOption<Int> {
  /// The longest time for one reply of a mail server, in whole seconds.
  public static var replySeconds: Self { Self(CURLOPT_SERVER_RESPONSE_TIMEOUT) }
}

/// How far a connection has to be secured.
public enum CurlSecurity: Sendable {
  /// Not beyond what the URL's scheme says.
  case asScheme
  /// STARTTLS must succeed before anything else is said.
  case startTLS
}

/// The HTTP versions that may be spoken.
public enum CurlHTTPVersion: Sendable {
  /// HTTP/1.1.
  case http1
  /// HTTP/2 over TLS where the server offers it.
  case http2
}
