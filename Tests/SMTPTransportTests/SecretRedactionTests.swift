import Foundation
import PabalFormats
import PabalPlugin
import Testing

@testable import SMTPTransport

/// Passwords, tokens and SASL strings that a server echoes don't appear in replies, reasons or log lines.
@Suite struct SecretRedactionTests {
  static let token = "ya29.secret-token-abcdefghijklmnop"
  static let password = "correct horse battery"

  static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  @Test(arguments: ["greeting", "ehlo", "auth", "mail", "rcpt", "final"])
  func `a secret that the server echoes is hidden`(_ place: String) throws {
    let strings = [
      Self.token, Self.base64(Self.token),
      Self.base64("user=alice@example.test\u{1}auth=Bearer \(Self.token)\u{1}\u{1}"), Self.password,
      Self.base64(Self.password), Self.base64("\0alice@example.test\0\(Self.password)"),
    ]
    let echo = strings.joined(separator: " ")
    for code in [place == "final" ? 250 : 451, 550] {
      let port = try hostile([place: .reply("\(code) 5.5.2 what is \(echo)?")])
      let common = [
        "host": "localhost", "port": "\(port.port)", "ca_file": port.server.authority.authority,
        "ehlo": "client.test",
      ]
      for values in [
        common.merging(["account": "a"]) { $1 },
        common.merging(["user": "alice@example.test", "password": Self.password]) { $1 },
      ] {
        let host = PluginHost(values, tokens: [Self.token, Self.token])
        host.with { host in
          #expect(host.open())
          _ = host.send(.small)
          _ = host.check()
          host.close()
        }
        let output = host.output.joined(separator: "\n")
        #expect(!output.isEmpty)
        for secret in values["account"] != nil ? strings.prefix(3) : strings.suffix(3) {
          for length in stride(from: 0, to: secret.count - 8, by: 4) {
            let part = secret.dropFirst(length).prefix(8)
            #expect(!output.contains(part), "\(place) \(code): \(output)")
          }
        }
      }
    }
  }

  @Test func `a password is hidden from eight bytes on, a shorter one in base64 only, and other text isn't`()
  {
    let long = SMTPLogin.password(user: "bob", password: "tiger123", mechanism: nil)
    #expect(
      SecretRedactor(long, nil, host: "h", port: 1).redact("535 no tiger123 here, bob")
        == "535 no *** here, bob")
    let login = SMTPLogin.password(user: "bob", password: "tiger", mechanism: nil)
    let redactor = SecretRedactor(login, nil, host: "h", port: 1)
    #expect(redactor.redact("535 no AGJvYgB0aWdlcg== here, bob") == "535 no *** here, bob")
    #expect(redactor.redact("535 no tiger here, bob") == "535 no tiger here, bob")
    #expect(redactor.redact("250 2.0.0 Ok: queued as 4Vx1") == "250 2.0.0 Ok: queued as 4Vx1")
    #expect(SecretRedactor(.none, nil, host: "h", port: 1).redact("anything") == "anything")
  }

  @Test func `only the secret is hidden, at any offset in base64`() {
    let login = SMTPLogin.account(user: "alice@example.test", mechanism: .xoauth2)
    let redactor = SecretRedactor(
      login, Token(text: Self.token, expiresIn: nil), host: "smtp.example.test", port: 465)
    let innocent =
      "250 2.0.0 <4711@example.test> alice@example.test at smtp.example.test host=smtp.example.test auth=Bearer "
    #expect(redactor.redact(innocent) == innocent)
    for lead in ["", "x", "xy"] {
      let hidden = redactor.redact("535 " + Self.base64("\(lead)\(Self.token)tail"))
      #expect(
        hidden.contains("***") && !hidden.contains(Self.base64("\(lead)\(Self.token)").dropFirst(4).prefix(8))
      )
    }
  }

  @Test func `a token inside base64 is hidden`() throws {
    let challenge = Self.base64("{\"status\":\"secretTokenOfLetters0123456789\"}")
    let port = try hostile(["auth": .reply("334 \(challenge)")])
    let accessToken = Token(text: "secretTokenOfLetters0123456789", expiresIn: nil)
    let recipientResults = SMTPTestMail.small.recipientResults(port.client(), tokens: { _ in accessToken })
    #expect(recipientResults?.map(\.outcome) == [.held(.transport)])
    #expect(
      recipientResults?.first?.message.contains("secretTo") == false,
      "\(recipientResults?.first?.message ?? "")")
  }

  @Test func `neither a token nor a login prints its secret`() {
    let accessToken = Token(text: Self.token, expiresIn: 1)
    #expect(!"\(accessToken)".contains("secret") && !String(reflecting: accessToken).contains("secret"))
    var text = ""
    dump(accessToken, to: &text)
    let login = SMTPLogin.password(user: "bob", password: Self.password, mechanism: nil)
    dump(login, to: &text)
    text += "\(login) \(String(reflecting: login))"
    #expect(!text.contains("secret") && !text.contains("horse"), "\(text)")
  }
}
