internal import PabalFormats
internal import PabalPlugin

extension SecretRedactor {
  /// A redactor that hides `secret`, its base64 at any offset within something longer, and the base64 of the SASL
  /// strings.
  ///
  /// The SASL strings also contain the user and the host, which aren't hidden. A password shorter than
  /// `minimumLength` is only hidden in base64.
  init(_ secret: [UInt8], sasl: [[UInt8]]) {
    self.init(replacement: "***")
    guard !secret.isEmpty else { return }
    add(secret, as: [.fragments, .base64])
    for string in sasl { add(Base64.encode(string.span), as: .fragments) }
  }

  /// A redactor for the password or the access token of a login.
  init(_ login: SMTPLogin, _ accessToken: Token?, host: String, port: Int) {
    switch login {
    case .none: self.init(replacement: "***")
    case .password(let user, let password, _):
      let secret = Array(password.utf8)
      self.init(secret, sasl: [[0] + Array(user.utf8) + [0] + secret])
    case .account(let user, _):
      let token = Array((accessToken?.text ?? "").utf8)
      let bearer = Array("auth=Bearer ".utf8) + token + [1, 1]
      let escaped = SMTPLogin.escaped(user)
      let address = "host=\(host)\u{1}port=\(port)\u{1}"
      self.init(
        token,
        sasl: [
          Array("user=\(user)\u{1}".utf8) + bearer,
          Array("n,a=\(escaped),\u{1}\(address)".utf8) + bearer,
        ])
    }
  }
}
