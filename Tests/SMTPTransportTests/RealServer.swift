import PabalTesting

@testable import SMTPTransport

extension RealServer {
  var grant: Grant { Grant(token: values["token"] ?? "", expiresIn: 3_600) }

  func courier(_ login: Login, _ security: Server.Security) -> Courier {
    var server = Server(
      host: "localhost", port: values[security.rawValue].flatMap { Int($0) } ?? 0, security: security,
      ehlo: "client.example", login: login)
    server.certificateFile = authority.authority
    server.timeout = 30_000
    return Courier(server)
  }
}
