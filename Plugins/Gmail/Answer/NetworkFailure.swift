internal import PabalCurl
internal import PabalPlugin

/// What a request without an answer means, and what to do about it.
enum NetworkFailure {
  static func ending(of exchange: Exchange, _ service: Service) -> Ending {
    let name = service.endpoint.name
    let failure: CurlFailure
    switch exchange.failure {
    case .unconnected(let reason): failure = reason
    case .some(let reason):
      let what = words(reason, service)
      return exchange.isHandedOver
        ? Ending(.unknown, "the mail was handed over, and then \(what)")
        : Ending(.deferred(), "before the mail was through, \(what)")
    case nil: return Ending(exchange.isHandedOver ? .unknown : .deferred(), "\(name) gave no answer")
    }
    switch failure.code {
    case .unresolved:
      return Ending(
        .deferred(),
        "\(name) has no address; does this machine resolve names, and is \"endpoint\" spelt right?")
    case .unreachable:
      return Ending(
        .deferred(),
        "nothing answers at \(name) (\(failure)); check \"endpoint\", and that no firewall stands between")
    case .timedOut:
      return Ending(.deferred(), "\(name) is silent (\(failure)); a firewall may stand between")
    case .untrusted:
      return Ending(.held(.transport), distrust(failure, name))
    case .noTrustStore:
      return Ending(
        .held(.transport),
        "the certificates to trust can't be read (\(failure)); check \"ca_file\" and \"ca_directory\", or install ca-certificates"
      )
    case .handshake:
      return Ending(
        .deferred(), "TLS with \(name) failed (\(failure)); is \"endpoint\" a server that speaks https?")
    case .malformed:
      return Ending(.held(.transport), "\"endpoint\" makes no URL (\(failure))")
    default:
      return Ending(.deferred(), "there is no connection to \(name) (\(failure))")
    }
  }

  /// What happened to a connection.
  static func words(_ failure: ExchangeFailure, _ service: Service) -> String {
    let name = service.endpoint.name
    return switch failure {
    case .unconnected(let reason): "there was no connection to \(name) (\(reason))"
    case .broken(let detail): "the connection to \(name) broke (\(detail))"
    case .silent: "\(name) was silent for \(service.timeout) ms"
    case .slow: "\(name) did not bring its answer to an end within \(service.timeout) ms"
    case .garbled: "\(name) answered with something that is no HTTP"
    }
  }

  static func distrust(_ failure: CurlFailure, _ name: String) -> String {
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
