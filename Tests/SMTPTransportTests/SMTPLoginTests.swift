import PabalPlugin
import Synchronization
import Testing

@testable import SMTPTransport

/// Logins and STARTTLS.
@Suite struct SMTPLoginTests {
  static let alice = "alice@example.test"
  static let token = SMTPTestMail.accessToken.text

  @Test(arguments: SMTPLogin.Mechanism.allCases, ["tls", "starttls"])
  func `every mechanism logs in with its credentials`(
    _ mechanism: SMTPLogin.Mechanism, _ security: String
  ) throws {
    var script = SMTPServerScript()
    script.security = security
    script.logins = [
      "XOAUTH2": [Self.alice, Self.token], "OAUTHBEARER": [Self.alice, Self.token],
      "PLAIN": [Self.alice, "p=,w d한"], "LOGIN": [Self.alice, "p=,w d한"],
    ]
    let login: SMTPLogin =
      mechanism == .xoauth2 || mechanism == .oauthbearer
      ? .account(user: Self.alice, mechanism: mechanism)
      : .password(user: Self.alice, password: "p=,w d한", mechanism: mechanism)
    let port = try hostile(script)
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.sent])
    #expect(try port.report().attempts.map { $0[0] } == [mechanism.name])
    #expect(try port.report().strange.isEmpty)
  }

  @Test func `a password uses PLAIN, or LOGIN if PLAIN isn't offered`() throws {
    let login = SMTPLogin.password(user: Self.alice, password: "secret", mechanism: nil)
    var script = SMTPServerScript()
    var port = try hostile(script)
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.sent])
    #expect(try port.report().attempts.map { $0[0] } == ["PLAIN"])
    script.offers[2] = "AUTH XOAUTH2 LOGIN"
    port = try hostile(script)
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.sent])
    #expect(try port.report().attempts.map { $0[0] } == ["LOGIN"])
  }

  @Test func `LOGIN waits for the server, and the password is never sent for the user's name`() throws {
    var script = SMTPServerScript()
    script.offers[2] = "AUTH LOGIN"
    script.logins = ["LOGIN": [Self.alice, "secret"]]
    let login = SMTPLogin.password(user: Self.alice, password: "secret", mechanism: nil)
    let port = try hostile(script)
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.sent])
    #expect(try port.report().commands.filter { $0.hasPrefix("AUTH") } == ["AUTH LOGIN"])
    let exchange = try #require(SASLExchange(port.server(login), nil, offered: ["LOGIN"]))
    let responses = exchange.responses(withInitialResponse: true)
    #expect(responses.map(\.content) == [.user, .password])
    // "Username:", "User Name", "Password:" and nothing.
    for (challenge, user, password) in [
      ("334 VXNlcm5hbWU6", true, false), ("334 VXNlciBOYW1lAA==", true, false),
      ("334 UGFzc3dvcmQ6", false, true),
      ("334 ", true, true), ("334", true, true), ("334 not base64!", true, true),
    ] {
      #expect(exchange.accepts(challenge: challenge, before: responses[0]) == user, "\(challenge)")
      #expect(exchange.accepts(challenge: challenge, before: responses[1]) == password, "\(challenge)")
    }
  }

  @Test func `a server that asks for the user's name twice gets no password`() throws {
    var script = SMTPServerScript(["auth": .reply("334 VXNlcm5hbWU6")])
    script.offers[2] = "AUTH LOGIN"
    let port = try hostile(script)
    let login = SMTPLogin.password(user: Self.alice, password: "secret", mechanism: .login)
    // The user's name is taken for a command, which is a refusal.
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.held(.transport)])
    #expect(try port.report().strange.allSatisfy { !$0.contains("c2VjcmV0") })
  }

  @Test(arguments: SMTPLogin.Mechanism.allCases, ["tls", "starttls"])
  func `keywords in lower case are read`(_ mechanism: SMTPLogin.Mechanism, _ security: String) throws {
    var script = SMTPServerScript()
    script.offers = SMTPServerScript.all.map { $0.lowercased() }
    script.offersBefore = ["starttls"]
    script.security = security
    let login: SMTPLogin =
      mechanism == .xoauth2 || mechanism == .oauthbearer
      ? .account(user: Self.alice, mechanism: mechanism)
      : .password(user: Self.alice, password: "secret", mechanism: mechanism)
    let port = try hostile(script)
    let client = port.client(login)
    #expect(SMTPTestMail.small.with { $0.needs8BitMIME = true }.outcomes(client) == [.sent])
    let report = try port.report()
    #expect(report.attempts.map { $0[0] } == [mechanism.name])
    #expect(report.handshakes == 1)
    #expect(report.commands.contains { $0.hasPrefix("BDAT") })
  }

  @Test(arguments: SMTPLogin.Mechanism.allCases)
  func `a server that ignores an initial response gets the response once more`(
    _ mechanism: SMTPLogin.Mechanism
  ) throws {
    var script = SMTPServerScript()
    script.ignoresInitial = true
    script.logins = [
      "XOAUTH2": [Self.alice, Self.token], "OAUTHBEARER": [Self.alice, Self.token],
      "PLAIN": [Self.alice, "secret"], "LOGIN": [Self.alice, "secret"],
    ]
    let login: SMTPLogin =
      mechanism == .xoauth2 || mechanism == .oauthbearer
      ? .account(user: Self.alice, mechanism: mechanism)
      : .password(user: Self.alice, password: "secret", mechanism: mechanism)
    #expect(SMTPTestMail.small.outcomes(try hostile(script).client(login)) == [.sent])
  }

  @Test func `a server that refuses an initial response gets the response after AUTH`() throws {
    let port = try hostile(["auth": SMTPServerAction(reply: "501 5.5.2 no initial response", initial: true)])
    #expect(SMTPTestMail.small.outcomes(port.client()) == [.sent])
    #expect(try port.report().commands.filter { $0.hasPrefix("AUTH") }.last == "AUTH XOAUTH2")
  }

  @Test(arguments: [nil, "535 5.7.3 Authentication unsuccessful"])
  func `the server's words about a refused token reach the host`(_ reply: String?) throws {
    var script = SMTPServerScript()
    script.logins = ["XOAUTH2": [Self.alice, "another"]]
    if let reply { script.connections = [["auth": .reply(reply)]] }
    let port = try hostile(script)
    let words = Mutex<[String]>([])
    let bytes = SMTPTestMail.small.bytes
    let isWithoutToken = bytes.withUnsafeBytes { bytes in
      let message = SMTPMessage(sender: Self.alice, recipients: ["bob@example.net"], bytes: bytes)
      let result = port.client().send(
        message, onTokenRejection: { reply in words.withLock { $0.append(reply) } }
      ) {
        rejected in rejected == nil ? SMTPTestMail.accessToken : nil
      }
      guard case .noToken = result else { return false }
      return true
    }
    #expect(isWithoutToken)
    let heard = words.withLock { $0 }
    #expect(heard.count == 1)
    #expect(heard.first?.contains(reply ?? "535 5.7.8 refused (status 401)") == true, "\(heard)")
    #expect(heard.first?.contains(Self.token) == false)
  }

  @Test(arguments: ["tls", "starttls"])
  func `a certificate that the system doesn't trust holds the transport`(
    _ security: String
  ) throws {
    var script = SMTPServerScript()
    script.security = security
    let port = try hostile(script)
    var server = port.server()
    server.certificateFile = nil
    let results = SMTPTestMail.small.recipientResults(SMTPClient(server, now: { 0 }))
    #expect(results?.map(\.outcome) == [.held(.transport)])
    #expect(results?.first?.message.contains("isn't trusted") == true, "\(results?.first?.message ?? "")")
    #expect(try port.report().commands.allSatisfy { $0.hasPrefix("EHLO") || $0 == "STARTTLS" })
  }

  @Test func `a server at an IPv6 address gets STARTTLS`() throws {
    var script = SMTPServerScript()
    script.security = "starttls"
    script.six = true
    let port = try hostile(script)
    let client = SMTPClient(port.server(host: "::1"), now: { 0 })
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
  }

  @Test func `XOAUTH2 is used although OAUTHBEARER is offered`() throws {
    let port = try hostile()
    #expect(SMTPTestMail.small.outcomes(port.client()) == [.sent])
    #expect(try port.report().attempts.map { $0[0] } == ["XOAUTH2"])
    #expect(try port.report().initial == [true])
  }

  @Test func `a token too long for one line is sent after AUTH`() throws {
    let long = Token(text: "ya29." + String(repeating: "0123456789", count: 250), expiresIn: nil)
    for mechanism in [SMTPLogin.Mechanism.xoauth2, .oauthbearer] {
      var script = SMTPServerScript()
      script.logins = ["XOAUTH2": [Self.alice, long.text], "OAUTHBEARER": [Self.alice, long.text]]
      let port = try hostile(script)
      let client = port.client(.account(user: Self.alice, mechanism: mechanism))
      #expect(SMTPTestMail.small.outcomes(client) { _ in long } == [.sent])
      #expect(try port.report().initial == [false])
    }
  }

  @Test func `OAUTHBEARER escapes comma and equals sign`() throws {
    let odd = "a,b=c@example.test"
    var script = SMTPServerScript()
    script.logins = ["OAUTHBEARER": [odd, Self.token], "XOAUTH2": [odd, Self.token]]
    for mechanism in [SMTPLogin.Mechanism.xoauth2, .oauthbearer] {
      let port = try hostile(script)
      let client = port.client(.account(user: odd, mechanism: mechanism))
      #expect(SMTPTestMail.small.outcomes(client) == [.sent])
      #expect(try port.report().attempts.map { $0[1] } == [odd])
    }
  }

  @Test(arguments: [SMTPLogin.Mechanism.xoauth2, .oauthbearer])
  func `a refused token is renewed and tried once`(_ mechanism: SMTPLogin.Mechanism) throws {
    var script = SMTPServerScript()
    script.logins = ["XOAUTH2": [Self.alice, Self.token], "OAUTHBEARER": [Self.alice, Self.token]]
    let port = try hostile(script)
    let login = SMTPLogin.account(user: Self.alice, mechanism: mechanism)
    let asked = Mutex<[String?]>([])
    let outcomes = SMTPTestMail.small.outcomes(port.client(login)) { rejected in
      asked.withLock { $0.append(rejected) }
      return rejected == nil
        ? Token(text: "ya29.stale-token-0123456789", expiresIn: nil) : SMTPTestMail.accessToken
    }
    #expect(outcomes == [.sent])
    #expect(asked.withLock { $0 } == [nil, "ya29.stale-token-0123456789"])
    #expect(try port.report().attempts.count == 2)
  }

  @Test func `a token refused twice holds the transport`() throws {
    var script = SMTPServerScript()
    script.logins = ["XOAUTH2": [Self.alice, "another"]]
    let port = try hostile(script)
    let number = Atomic(0)
    let recipientResults = SMTPTestMail.small.recipientResults(port.client()) { _ in
      Token(text: "ya29.bad-token-\(number.add(1, ordering: .relaxed).newValue)", expiresIn: nil)
    }
    #expect(recipientResults?.map(\.outcome) == [.held(.transport)])
    #expect(recipientResults?.first?.message.contains("status 401") == true)
    #expect(try port.report().attempts.count == 2)
    #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") })
  }

  @Test func `a renewal that returns the same token isn't tried`() throws {
    var script = SMTPServerScript()
    script.logins = ["XOAUTH2": [Self.alice, "another"]]
    let port = try hostile(script)
    #expect(SMTPTestMail.small.outcomes(port.client()) == [.held(.transport)])
    #expect(try port.report().attempts.count == 1)
  }

  @Test func `without a token the client doesn't connect`() throws {
    let port = try hostile()
    #expect(SMTPTestMail.small.recipientResults(port.client()) { _ in nil } == nil)
    #expect(try port.report().connections == 0)
  }

  @Test func `a wrong password holds the transport and is tried once`() throws {
    var script = SMTPServerScript()
    script.logins = ["PLAIN": [Self.alice, "right"]]
    let port = try hostile(script)
    let login = SMTPLogin.password(user: Self.alice, password: "wrong", mechanism: nil)
    #expect(SMTPTestMail.small.outcomes(port.client(login)) == [.held(.transport)])
    #expect(try port.report().attempts.count == 1)
  }

  @Test func `a server without AUTH gets no mail`() throws {
    let port = try hostile([:], without: ["AUTH"])
    let logins: [SMTPLogin] = [
      .account(user: Self.alice, mechanism: .xoauth2),
      .password(user: Self.alice, password: "secret", mechanism: nil),
    ]
    for login in logins {
      let recipientResults = SMTPTestMail.small.recipientResults(port.client(login))
      #expect(recipientResults?.map(\.outcome) == [.held(.transport)])
      #expect(recipientResults?.first?.message.contains("offers no login") == true)
    }
    #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") })
    #expect(SMTPTestMail.small.outcomes(port.client(.none)) == [.sent])
  }

  @Test func `a server without the mechanism gets no other credentials`() throws {
    var script = SMTPServerScript()
    script.offers[2] = "AUTH PLAIN LOGIN"
    let port = try hostile(script)
    let recipientResults = SMTPTestMail.small.recipientResults(port.client())
    #expect(recipientResults?.map(\.outcome) == [.held(.transport)])
    #expect(recipientResults?.first?.message.contains("XOAUTH2") == true)
    #expect(try port.report().attempts.isEmpty)
  }

  @Test func `a login that ends with another 2xx than 235 has failed`() throws {
    for reply in ["250 ok", "200 fine", "220 hello"] {
      let port = try hostile(["auth": .reply(reply)])
      let outcomes = SMTPTestMail.small.outcomes(port.client())
      #expect(outcomes == [.held(.transport)] || outcomes == [.deferred], "\(reply)")
      #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") })
    }
  }

  // MARK: STARTTLS

  @Test func `extensions offered before TLS are ignored after it`() throws {
    var script = SMTPServerScript()
    script.security = "starttls"
    script.offersBefore = ["STARTTLS"] + SMTPServerScript.all
    script.offers = ["AUTH XOAUTH2"]
    let port = try hostile(script)
    let client = port.client()
    #expect(SMTPTestMail.small.with { $0.needs8BitMIME = true }.outcomes(client) == [.unsuited])
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    let report = try port.report()
    #expect(report.commands.contains("DATA"))
    #expect(report.taken.map(\.params) == [""])
  }

  @Test func `a login offered only before TLS isn't used`() throws {
    var script = SMTPServerScript([:], without: ["AUTH"])
    script.security = "starttls"
    script.offersBefore = ["STARTTLS", "AUTH XOAUTH2 PLAIN"]
    let port = try hostile(script)
    let outcomes = SMTPTestMail.small.outcomes(port.client())
    #expect(outcomes == [.held(.transport)])
    #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") && !$0.hasPrefix("AUTH") })
  }

  @Test func `without STARTTLS nothing is sent unencrypted`() throws {
    for (offers, act) in [
      (SMTPServerScript.all, nil),
      (["STARTTLS"] + SMTPServerScript.all, SMTPServerAction.reply("454 4.7.0 TLS not available")),
      (["STARTTLS"] + SMTPServerScript.all, .reply("502 5.5.1 no")),
    ] {
      var script = SMTPServerScript(act.map { ["starttls": $0] } ?? [:])
      script.security = "starttls"
      script.offersBefore = offers
      let port = try hostile(script)
      let outcomes = SMTPTestMail.small.outcomes(port.client())
      #expect(outcomes == [act?.reply?.hasPrefix("4") == true ? .deferred : .held(.transport)])
      #expect(
        try port.report().commands.allSatisfy { $0.hasPrefix("EHLO") || $0 == "STARTTLS" || $0 == "QUIT" })
    }
  }

  @Test func `replies injected before TLS are ignored`() throws {
    for slipped in [
      "220 go\r\n235 2.7.0 welcome", "220 go\r\n250-evil\r\n250-AUTH PLAIN\r\n250 CHUNKING",
      "220 go\r\n250 a\r\n235 b\r\n250 c\r\n250 d\r\n250 e",
    ] {
      var script = SMTPServerScript(["starttls": SMTPServerAction(extra: String(slipped.dropFirst(8)))])
      script.security = "starttls"
      let port = try hostile(script)
      let outcomes = SMTPTestMail.small.outcomes(port.client())
      #expect(outcomes == [.deferred], "\(slipped)")
      #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") && !$0.hasPrefix("AUTH") })
    }
  }
}
