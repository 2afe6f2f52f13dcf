internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin

/// The results of requests without a response.
package enum NetworkErrorClassifier {
  package static func sendResult(of exchange: HTTPExchange, _ server: RESTServer) -> SendResult {
    let name = server.endpoint.authority
    let failure: CurlError
    switch exchange.failure {
    case .notConnected(let reason): failure = reason
    case .some(let reason):
      let cause = message(reason, server)
      return exchange.isFullySent
        ? SendResult(.unknown, "after the mail was sent, \(cause)")
        : SendResult(.deferred(), "before the mail was sent completely, \(cause)")
    case nil: return SendResult(exchange.isFullySent ? .unknown : .deferred(), "\(name) sent no response")
    }
    let proxy = server.curlProxy
    if let proxyFailure = proxy?.failure(failure, connectingTo: name) {
      return SendResult(
        proxyFailure.needsChange ? .held(.transport) : .deferred(), proxyFailure.message)
    }
    var result = directResult(of: failure, name)
    if proxy == nil, [.unresolved, .unreachable, .timedOut].contains(failure.code),
      let hint = ProxyEnvironment.hint(connectingTo: server.endpoint.host, setting: "\"proxy\"")
    {
      result.message += "; \(hint)"
    }
    return result
  }

  private static func directResult(of failure: CurlError, _ name: String) -> SendResult {
    switch failure.code {
    case .unresolved:
      return SendResult(
        .deferred(),
        "\(name) has no address; check the spelling of \"endpoint\", and that this machine can resolve names")
    case .unreachable:
      return SendResult(
        .deferred(),
        "\(name) doesn't accept connections (\(failure)); check \"endpoint\", and that no firewall is in between"
      )
    case .timedOut:
      return SendResult(.deferred(), "\(name) doesn't answer (\(failure)); check for a firewall")
    case .untrusted:
      return SendResult(.held(.transport), certificateMessage(failure, name))
    case .noTrustStore:
      return SendResult(
        .held(.transport),
        "the trusted certificates can't be read (\(failure)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake:
      return SendResult(
        .deferred(), "TLS with \(name) failed (\(failure)); check that \"endpoint\" is an https server")
    case .malformed:
      return SendResult(.held(.transport), "\"endpoint\": not a valid URL (\(failure)); correct it")
    default:
      return SendResult(.deferred(), "connecting to \(name) failed (\(failure))")
    }
  }

  /// Returns what happened to the connection, as a clause.
  package static func message(_ failure: HTTPExchangeError, _ server: RESTServer) -> String {
    let name = server.endpoint.authority
    return switch failure {
    case .notConnected(let reason): "connecting to \(name) failed (\(reason))"
    case .connectionLost(let detail): "the connection to \(name) was lost (\(detail))"
    case .idleTimeout: "\(name) took nothing for \(server.timeout) ms"
    case .noResponse(let time): "\(name) sent nothing for \(time) ms"
    case .responseTimeout(let time): "\(name) didn't complete its response within \(time) ms"
    case .invalidResponse: "\(name) sent something that isn't HTTP"
    }
  }

  static func certificateMessage(_ failure: CurlError, _ name: String) -> String {
    // OpenSSL's X509_V_ERR_…: 62 another name, 10 expired, 9 not yet valid. libcurl may compare names itself and then
    // reports a mismatch only in its text.
    switch failure.certificate {
    case 62,
      _ where failure.code == .untrusted && failure.detail.contains("subject name"):
      "\(name) has a certificate for another name (\(failure)); use the name in it in \"endpoint\""
    case 9, 10:
      "the certificate of \(name) has expired or isn't valid yet (\(failure)); renew it on the server, or correct this machine's clock"
    default:
      "the certificate of \(name) isn't trusted (\(failure)); if the authority is your own, set \"ca_file\" to its certificate"
    }
  }
}
