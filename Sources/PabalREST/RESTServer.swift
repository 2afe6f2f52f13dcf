internal import PabalCurl
package import PabalFormats
package import PabalPlugin

/// The server of a REST API: its URL, whom it trusts, and how long it may take.
package struct RESTServer: Sendable {
  /// The API's URL.
  package let endpoint: HTTPEndpoint
  /// What comes before the API's own paths; empty, or beginning with a slash.
  private let path: String
  /// A PEM file of certificate authorities to trust instead of the system's.
  package var certificateFile: String?
  /// An OpenSSL directory of certificate authorities to trust instead of the system's.
  package var certificateDirectory: String?
  /// The proxy for connections to other machines.
  package var proxy: HTTPProxy?
  /// In milliseconds: how long connecting may take, and how long sending may stall. Until then nothing was sent.
  package var timeout = 60_000
  /// In milliseconds: how long the response may take after the last byte of a mail. A mail without a response may have
  /// been sent, so waiting is better than sending it twice.
  package var finalTimeout = 600_000

  /// A server with default settings.
  package init(_ endpoint: HTTPEndpoint) {
    self.endpoint = endpoint
    var path = endpoint.path
    while path.last == "/" { path.removeLast() }
    self.path = path
  }

  /// The proxy that connections to the endpoint go through, if there is one.
  var curlProxy: CurlProxy? {
    guard let proxy, proxy.applies(to: endpoint.host) else { return nil }
    return CurlProxy(
      host: proxy.bracketedHost, port: proxy.port, user: proxy.user, password: proxy.password)
  }

  /// Appends a request's line, Host and Authorization, without the line end after the latter.
  ///
  /// Appends bytes, because an interpolated string costs as much as the system call that sends the request.
  package func append(
    _ method: StaticString, _ path: some Collection<UInt8>, token: String, to head: inout [UInt8]
  ) {
    head.reserveCapacity(head.count + 512 + token.utf8.count)
    head.append(contentsOf: UnsafeBufferPointer(start: method.utf8Start, count: method.utf8CodeUnitCount))
    head.append(contentsOf: self.path.utf8)
    head.append(contentsOf: path)
    head.append(contentsOf: " HTTP/1.1\r\nHost: ".utf8)
    head.append(contentsOf: endpoint.authority.utf8)
    head.append(contentsOf: "\r\nAuthorization: Bearer ".utf8)
    head.append(contentsOf: token.utf8)
  }

  /// The settings of a server in `config.json`, with the API's public URL and the maximum of concurrent requests.
  package static func settings(endpoint: String, parallel: ClosedRange<Int64>) -> [Setting] {
    [
      Setting(
        .text, "endpoint", help: "The API's URL; https, or http for a server on this machine.",
        default: endpoint),
      Setting(
        .path, "ca_file", help: "A PEM file of certificate authorities to trust instead of the system's."),
      Setting(
        .path, "ca_directory",
        help: "An OpenSSL directory of certificate authorities to trust instead of the system's."),
      Setting(
        .text, "proxy",
        help:
          "An HTTP proxy, http://[user:password@]host:port, as text or secret; not used for this machine. Proxy variables of the environment are ignored."
      ),
      Setting(
        .duration, "timeout",
        help: "How long connecting and a stall while sending may each take; nothing is sent then.",
        default: "60s", range: 1_000...3_600_000),
      Setting(
        .duration, "final_timeout",
        help:
          "How long the response may take after the last byte of a mail. Without one, the outcome is unknown, and a second attempt may send the mail twice.",
        default: "10m", range: 1_000...3_600_000),
      Setting(
        .number, "parallel", help: "The most requests at once.", default: "4", range: parallel),
    ]
  }

  /// Reads and checks the settings.
  package init(_ settings: Settings, endpoint: String) throws(TransportOpenError) {
    do throws(HTTPEndpointError) {
      self.init(try HTTPEndpoint(settings.text("endpoint") ?? endpoint, query: .refused))
    } catch {
      throw TransportOpenError("\"endpoint\" \(error)")
    }
    if let text = settings.text("proxy"), !text.isEmpty {
      do throws(HTTPProxyError) {
        proxy = try HTTPProxy(text)
      } catch {
        throw TransportOpenError("\"proxy\" \(error)")
      }
    }
    certificateFile = settings.text("ca_file")
    certificateDirectory = settings.text("ca_directory")
    timeout = Int(settings.number("timeout") ?? 60_000)
    finalTimeout = max(timeout, Int(settings.number("final_timeout") ?? 600_000))
  }
}
