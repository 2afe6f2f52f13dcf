import Foundation
import PabalTesting
import Testing

@testable import SMTPTransport

/// Against real servers: what they take is read back from their mailboxes, octet for octet.
@Suite(.serialized, .enabled(if: RealServer.isPossible, "needs root and Tests/Servers/install.sh"))
struct RealServerTests {
  static let alice = "alice@example.test"

  static func login(_ mechanism: Login.Mechanism) -> Login {
    mechanism == .xoauth2 || mechanism == .oauthbearer
      ? .account(user: alice, mechanism: mechanism)
      : .password(user: alice, password: "app-password-1", mechanism: mechanism)
  }

  /// Bodies that a transport could break.
  static let bodies: [String] = [
    "", ".\r\n", "..\r\n.\r\n...\r\n", "482913\r\n", "\r\n\r\n\r\n", "trailing blanks   \r\n\t\r\n",
    String(repeating: ".dot\r\n", count: 5_000), String(repeating: "x", count: 990) + "\r\n",
  ]

  /// Sends each body and reads it back.
  private func exchange(_ server: RealServer, _ courier: Courier, bodies: [String]) throws {
    for body in bodies {
      let marker = "Message-ID: <\(UUID().uuidString)@example.test>"
      let text =
        "\(marker)\r\nDate: Mon, 23 Nov 2026 07:00:00 +0000\r\nFrom: alice@example.test\r\n"
        + "To: bob@example.net\r\nSubject: test\r\n\r\n\(body)"
      let mail = TestMail(text)
      let fates = mail.fates(courier) { _ in server.grant }
      #expect(fates?.map(\.outcome) == [.sent], "\(fates?.first?.words ?? "no token")")
      guard fates?.first?.outcome == .sent else { continue }
      let whole = try server.mail(marker)
      #expect(RealServer.isSame(whole, mail.octets), "\(body.prefix(40).debugDescription)")
    }
  }

  @Test(arguments: ["postfix", "modest", "dovecot", "exim"])
  func `mails arrive octet for octet by every login over TLS and STARTTLS`(_ kind: String) throws {
    let server = try RealServer.of(kind)
    let mechanisms = kind == "exim" ? [Login.Mechanism.plain, .login] : Login.Mechanism.allCases
    for mechanism in mechanisms {
      for security in [Server.Security.tls, .starttls] {
        let courier = server.courier(Self.login(mechanism), security)
        try exchange(
          server, courier,
          bodies: mechanism == mechanisms[0] && security == .tls ? Self.bodies : ["482913\r\n"])
        courier.close()
      }
    }
  }

  @Test(arguments: ["postfix", "modest", "dovecot", "exim"])
  func `thirty-four million octets and long lines arrive as they left`(_ kind: String) throws {
    let server = try RealServer.of(kind)
    let courier = server.courier(Self.login(.plain), .tls)
    let line = "the quick brown fox jumps over the lazy dog, again and again, .\r\n"
    let large = String(repeating: line + "." + line, count: 34_000_000 / (2 * line.utf8.count + 1))
    try exchange(server, courier, bodies: [large, String(repeating: "y", count: 1_900) + "\r\nend\r\n"])
    courier.close()
  }

  @Test func `Postfix answers every token as it deserves`() throws {
    for kind in ["postfix", "dovecot"] {
      let server = try RealServer.of(kind)
      for mechanism in [Login.Mechanism.xoauth2, .oauthbearer] {
        let courier = server.courier(Self.login(mechanism), .tls)
        let expired = Grant(token: server.values["expired"] ?? "", expiresIn: nil)
        let long = Grant(token: server.values["long"] ?? "", expiresIn: nil)
        #expect(TestMail.small.outcomes(courier) { _ in expired } == [.held(.transport)])
        #expect(
          TestMail.small.outcomes(courier) { rejected in rejected == nil ? expired : server.grant } == [.sent]
        )
        courier.close()
        let other = server.courier(Self.login(mechanism), .starttls)
        #expect(TestMail.small.outcomes(other) { _ in long } == [.sent])
        other.close()
        let foreign = server.courier(.account(user: "eve@example.test", mechanism: mechanism), .tls)
        #expect(TestMail.small.outcomes(foreign) { _ in server.grant } == [.held(.transport)])
      }
      let wrong = server.courier(.password(user: Self.alice, password: "wrong", mechanism: .plain), .tls)
      #expect(TestMail.small.outcomes(wrong) == [.held(.transport)])
    }
  }

  @Test(arguments: ["postfix", "modest"]) func `Postfix gives each recipient its own answer`(_ kind: String)
    throws
  {
    let server = try RealServer.of(kind)
    let courier = server.courier(Self.login(.plain), .tls)
    let mixed = TestMail.small.to("a@example.net", "nobody@example.net", "busy@example.net", "b@example.net")
    #expect(mixed.outcomes(courier) == [.sent, .rejected, .deferred, .sent])
    #expect(TestMail.small.to("nobody@example.net").outcomes(courier) == [.rejected])
    #expect(TestMail.small.outcomes(courier) == [.sent])
    // Five recipients a mail are its limit; seven take two transactions.
    let seven = TestMail.small.with { $0.recipients = (1...7).map { "r\($0)@example.net" } }
    #expect(seven.outcomes(courier) == Array(repeating: .sent, count: 7))
    // Its login owns one sender: refused at RCPT, and no recipient's fault.
    let foreign = TestMail.small.with { $0.sender = "eve@example.test" }
    let fates = foreign.fates(courier)
    #expect(fates?.map(\.outcome) == [.held(.mail)])
    #expect(fates?.first?.words.contains("not owned by user") == true)
    let korean = TestMail.small.with {
      $0.recipients = ["사람@example.net"]
      $0.needsSMTPUTF8 = true
    }
    #expect(korean.outcomes(courier) == [.sent])
    courier.close()
  }

  @Test func `Exim parts after three mails and refuses content after its octets`() throws {
    let server = try RealServer.of("exim")
    let courier = server.courier(Self.login(.plain), .tls)
    for _ in 0..<8 { #expect(TestMail.small.outcomes(courier) == [.sent]) }
    #expect(TestMail("X-Unwanted: yes\r\n\r\nno\r\n").outcomes(courier) == [.rejected])
    #expect(TestMail.small.to("nobody@example.net", "b@example.net").outcomes(courier) == [.rejected, .sent])
    #expect(TestMail.small.to("nobody@example.net").outcomes(courier) == [.rejected])
    courier.close()
  }
}
