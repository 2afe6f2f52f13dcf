internal import PabalFormats
internal import Synchronization

/// How an OAuth client proves its identity to a server (RFC 6749 section 2.3.1); found out by trying.
final class ClientAuthentication: Sendable {
  /// A way, by its registered name (RFC 8414 section 2), which is also stored in the token file.
  enum Method: String, Sendable {
    /// With the secret in the form.
    case post = "client_secret_post"
    /// With the secret in the header `Authorization`.
    case basic = "client_secret_basic"

    var other: Method { self == .post ? .basic : .post }
  }

  private let accepted = Mutex<Method?>(nil)

  /// The way that the server accepted last; `nil` before the first success.
  var method: Method? { accepted.withLock { $0 } }

  func remember(_ method: Method) { accepted.withLock { $0 = method } }
}

/// The client that a form is sent for.
struct FormClient: Sendable {
  let id: String
  var secret: String?
  /// `nil` if the provider is known to accept the form.
  var authentication: ClientAuthentication?
  /// The way that the token file remembers.
  var stored: ClientAuthentication.Method?

  /// The ways to try, best first.
  var methods: [ClientAuthentication.Method] {
    guard let authentication, secret != nil else { return [.post] }
    let first = authentication.method ?? stored ?? .post
    return [first, first.other]
  }

  /// The members of the form.
  func fields(_ method: ClientAuthentication.Method) -> [(String, String)] {
    // RFC 6749 section 2.3: a request must not use two ways at once.
    guard method == .post else { return [] }
    return [("client_id", id)] + (secret.map { [("client_secret", $0)] } ?? [])
  }

  /// The value of the header `Authorization`; `nil` if the form has the secret.
  func authorization(_ method: ClientAuthentication.Method) -> String? {
    guard method == .basic, let secret else { return nil }
    let pair = [id, secret].map { PercentEncoding.encode($0, allowing: .unreserved) }.joined(separator: ":")
    return "Basic " + Base64.string(Array(pair.utf8).span)
  }
}
