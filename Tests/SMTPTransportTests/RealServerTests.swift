import Foundation
import PabalPlugin
import PabalTesting
import Testing

@testable import SMTPTransport

/// Postfix, Dovecot and Exim: mails are read back from their mailboxes and compared byte for byte.
@Suite(.serialized, .enabled(if: RealMailServer.isAvailable, "needs root and Tests/Servers/install.sh"))
struct RealServerTests {
  static let alice = "alice@example.test"

  static func login(_ mechanism: SMTPLogin.Mechanism) -> SMTPLogin {
    mechanism == .xoauth2 || mechanism == .oauthbearer
      ? .account(user: alice, mechanism: mechanism)
      : .password(user: alice, password: "app-password-1", mechanism: mechanism)
  }

  /// Bodies that a faulty transport would change.
  static let bodies: [String] = [
    "", ".\r\n", "..\r\n.\r\n...\r\n", "482913\r\n", "\r\n\r\n\r\n", "trailing blanks   \r\n\t\r\n",
    String(repeating: ".dot\r\n", count: 5_000), String(repeating: "x", count: 990) + "\r\n",
  ]

  /// Sends each body and reads it back.
  private func exchange(_ server: RealMailServer, _ client: SMTPClient, bodies: [String]) throws {
    for body in bodies {
      let marker = "Message-ID: <\(UUID().uuidString)@example.test>"
      let text =
        "\(marker)\r\nDate: Mon, 23 Nov 2026 07:00:00 +0000\r\nFrom: alice@example.test\r\n"
        + "To: bob@example.net\r\nSubject: test\r\n\r\n\(body)"
      let mail = SMTPTestMail(text)
      let recipientResults = mail.recipientResults(client) { _ in server.accessToken }
      #expect(
        recipientResults?.map(\.outcome) == [.sent], "\(recipientResults?.first?.message ?? "no token")")
      guard recipientResults?.first?.outcome == .sent else { continue }
      let whole = try server.mail(marker)
      #expect(RealMailServer.isSame(whole, mail.bytes), "\(body.prefix(40).debugDescription)")
    }
  }

  @Test(arguments: ["postfix", "modest", "dovecot", "exim"])
  func `mails arrive byte for byte by every login over TLS and STARTTLS`(_ kind: String) throws {
    let server = try RealMailServer.of(kind)
    let mechanisms = kind == "exim" ? [SMTPLogin.Mechanism.plain, .login] : SMTPLogin.Mechanism.allCases
    for mechanism in mechanisms {
      for security in [SMTPServer.Security.tls, .starttls] {
        let client = server.client(Self.login(mechanism), security)
        try exchange(
          server, client,
          bodies: mechanism == mechanisms[0] && security == .tls ? Self.bodies : ["482913\r\n"])
        client.close()
      }
    }
  }

  @Test(arguments: ["postfix", "modest", "dovecot", "exim"])
  func `thirty-four million bytes and long lines arrive unchanged`(_ kind: String) throws {
    let server = try RealMailServer.of(kind)
    let client = server.client(Self.login(.plain), .tls)
    let line = "the quick brown fox jumps over the lazy dog, again and again, .\r\n"
    let large = String(repeating: line + "." + line, count: 34_000_000 / (2 * line.utf8.count + 1))
    try exchange(server, client, bodies: [large, String(repeating: "y", count: 1_900) + "\r\nend\r\n"])
    client.close()
  }

  @Test func `Postfix accepts a valid token and refuses an expired one`() throws {
    for kind in ["postfix", "dovecot"] {
      let server = try RealMailServer.of(kind)
      for mechanism in [SMTPLogin.Mechanism.xoauth2, .oauthbearer] {
        let client = server.client(Self.login(mechanism), .tls)
        let expired = Token(text: server.values["expired"] ?? "", expiresIn: nil)
        let long = Token(text: server.values["long"] ?? "", expiresIn: nil)
        #expect(SMTPTestMail.small.outcomes(client) { _ in expired } == [.held(.transport)])
        #expect(
          SMTPTestMail.small.outcomes(client) { rejected in rejected == nil ? expired : server.accessToken }
            == [.sent]
        )
        client.close()
        let other = server.client(Self.login(mechanism), .starttls)
        #expect(SMTPTestMail.small.outcomes(other) { _ in long } == [.sent])
        other.close()
        let foreign = server.client(.account(user: "eve@example.test", mechanism: mechanism), .tls)
        #expect(SMTPTestMail.small.outcomes(foreign) { _ in server.accessToken } == [.held(.transport)])
      }
      let wrong = server.client(.password(user: Self.alice, password: "wrong", mechanism: .plain), .tls)
      #expect(SMTPTestMail.small.outcomes(wrong) == [.held(.transport)])
    }
  }

  @Test(arguments: ["postfix", "modest"]) func `Postfix replies for each recipient`(_ kind: String)
    throws
  {
    let server = try RealMailServer.of(kind)
    let client = server.client(Self.login(.plain), .tls)
    let mixed = SMTPTestMail.small.to(
      "a@example.net", "unknown@example.net", "busy@example.net", "b@example.net")
    #expect(mixed.outcomes(client) == [.sent, .rejected, .deferred, .sent])
    #expect(SMTPTestMail.small.to("unknown@example.net").outcomes(client) == [.rejected])
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    // Its limit is five recipients per mail, so seven take two transactions.
    let seven = SMTPTestMail.small.with { $0.recipients = (1...7).map { "r\($0)@example.net" } }
    #expect(seven.outcomes(client) == Array(repeating: .sent, count: 7))
    // The login owns one sender; another is refused at RCPT, although the recipient is valid.
    let foreign = SMTPTestMail.small.with { $0.sender = "eve@example.test" }
    let recipientResults = foreign.recipientResults(client)
    #expect(recipientResults?.map(\.outcome) == [.held(.mail)])
    #expect(recipientResults?.first?.message.contains("not owned by user") == true)
    let korean = SMTPTestMail.small.with {
      $0.recipients = ["사람@example.net"]
      $0.needsSMTPUTF8 = true
    }
    #expect(korean.outcomes(client) == [.sent])
    client.close()
  }

  @Test func `Exim closes after three mails and refuses content after the body`() throws {
    let server = try RealMailServer.of("exim")
    let client = server.client(Self.login(.plain), .tls)
    for _ in 0..<8 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    #expect(SMTPTestMail("X-Unwanted: yes\r\n\r\nno\r\n").outcomes(client) == [.rejected])
    #expect(
      SMTPTestMail.small.to("unknown@example.net", "b@example.net").outcomes(client) == [.rejected, .sent])
    #expect(SMTPTestMail.small.to("unknown@example.net").outcomes(client) == [.rejected])
    client.close()
  }
}

extension RealMailServer {
  var accessToken: Token { Token(text: values["token"] ?? "", expiresIn: 3_600) }

  func client(_ login: SMTPLogin, _ security: SMTPServer.Security) -> SMTPClient {
    var server = SMTPServer(
      host: "localhost", port: values[security.rawValue].flatMap { Int($0) } ?? 0, security: security,
      ehlo: "client.example", login: login)
    server.certificateFile = authority.authority
    server.limits.reply = 30_000
    return SMTPClient(server)
  }
}
