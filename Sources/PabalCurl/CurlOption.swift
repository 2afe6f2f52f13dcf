internal import CPabalCurl

/// An option of libcurl with the type of its value.
///
/// Only the options that callers set; `CurlHandle.init` sets those that every handle needs.
public struct CurlOption<Value>: Sendable {
  let number: UInt32

  init(_ option: CURLoption) { number = option.rawValue }
  var option: CURLoption { CURLoption(number) }
}

extension CurlOption<String> {
  /// The URL.
  public static var url: Self { Self(CURLOPT_URL) }
  /// The User-Agent header.
  public static var userAgent: Self { Self(CURLOPT_USERAGENT) }
  /// The user name for the proxy.
  static var proxyUser: Self { Self(CURLOPT_PROXYUSERNAME) }
  /// The password for the proxy.
  static var proxyPassword: Self { Self(CURLOPT_PROXYPASSWORD) }
}

extension CurlOption<Bool> {
  /// Whether `perform` only connects, does TLS and logs in; the caller then uses `send` and `receive`.
  public static var connectOnly: Self { Self(CURLOPT_CONNECT_ONLY) }
  /// Whether TLS negotiates an HTTP version (ALPN).
  public static var applicationProtocols: Self { Self(CURLOPT_SSL_ENABLE_ALPN) }
  /// Whether the request is a POST.
  public static var post: Self { Self(CURLOPT_POST) }
}

extension CurlOption<Duration> {
  /// The timeout for connecting, including TLS.
  public static var connectTimeout: Self { Self(CURLOPT_CONNECTTIMEOUT_MS) }
  /// The timeout for the whole of `perform`.
  public static var totalTimeout: Self { Self(CURLOPT_TIMEOUT_MS) }
}

/// The HTTP version of a request.
public enum CurlHTTPVersion: Sendable {
  /// HTTP/1.1.
  case http1
  /// HTTP/2 over TLS if the server offers it, otherwise HTTP/1.1.
  case http2
}
