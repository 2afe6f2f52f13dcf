internal import PabalCurl
internal import PabalPlugin

/// What a request without an answer means, and what to do about it.
enum NetworkErrorClassifier {
  static func sendResult(of exchange: HTTPExchange, _ api: GmailAPI) -> SendResult {
    let name = api.endpoint.name
    let failure: CurlError
    switch exchange.failure {
    case .notConnected(let reason): failure = reason
    case .some(let reason):
      let cause = message(reason, api)
      return exchange.isFullySent
        ? SendResult(.unknown, "the mail was handed over, and then \(cause)")
        : SendResult(.deferred(), "before the mail was through, \(cause)")
    case nil: return SendResult(exchange.isFullySent ? .unknown : .deferred(), "\(name) gave no answer")
    }
    switch failure.code {
    case .unresolved:
      return SendResult(
        .deferred(),
        "\(name) has no address; does this machine resolve names, and is \"endpoint\" spelt right?")
    case .unreachable:
      return SendResult(
        .deferred(),
        "nothing answers at \(name) (\(failure)); check \"endpoint\", and that no firewall stands between")
    case .timedOut:
      return SendResult(.deferred(), "\(name) is silent (\(failure)); a firewall may stand between")
    case .untrusted:
      return SendResult(.held(.transport), certificateMessage(failure, name))
    case .noTrustStore:
      return SendResult(
        .held(.transport),
        "the certificates to trust can't be read (\(failure)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake:
      return SendResult(
        .deferred(), "TLS with \(name) failed (\(failure)); is \"endpoint\" a server that speaks https?")
    case .malformed:
      return SendResult(.held(.transport), "\"endpoint\" makes no URL (\(failure))")
    default:
      return SendResult(.deferred(), "there is no connection to \(name) (\(failure))")
    }
  }

  /// What happened to a connection.
  static func message(_ failure: HTTPExchangeError, _ api: GmailAPI) -> String {
    let name = api.endpoint.name
    return switch failure {
    case .notConnected(let reason): "there was no connection to \(name) (\(reason))"
    case .connectionLost(let detail): "the connection to \(name) broke (\(detail))"
    case .idleTimeout: "\(name) was silent for \(api.timeout) ms"
    case .responseTimeout: "\(name) did not bring its answer to an end within \(api.timeout) ms"
    case .invalidResponse: "\(name) answered with something that is no HTTP"
    }
  }

  static func certificateMessage(_ failure: CurlError, _ name: String) -> String {
    // OpenSSL's X509_V_ERR_…: 62 another name, 10 expired, 9 not yet valid. libcurl compares names itself, and
    // then tells it in words only.
    switch failure.certificate {
    case 62,
      _ where failure.code == .untrusted && failure.detail.contains("subject name"):
      "\(name) shows a certificate for another name (\(failure)); \"endpoint\" must have the name in it"
    case 9, 10:
      "the certificate of \(name) is out of date (\(failure)); it has to be renewed, or this machine's clock is wrong"
    default:
      "the certificate of \(name) is not to be trusted (\(failure)); if it is your own authority, name it in \"ca_file\""
    }
  }
}
