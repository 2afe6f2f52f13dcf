import PabalTesting

@testable import SMTPTransport

extension RealMailServer {
  var accessToken: Token { Token(token: values["token"] ?? "", expiresIn: 3_600) }

  func client(_ login: SMTPLogin, _ security: SMTPServer.Security) -> SMTPClient {
    var server = SMTPServer(
      host: "localhost", port: values[security.rawValue].flatMap { Int($0) } ?? 0, security: security,
      ehlo: "client.example", login: login)
    server.certificateFile = authority.authority
    server.timeout = 30_000
    return SMTPClient(server)
  }
}
