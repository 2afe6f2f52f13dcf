import CPabalTransport
import PabalPlugin
import Testing

@testable import SMTPTransport

/// The results of `check` and the advice in their messages.
@Suite struct CheckTests {
  private func check(
    _ port: HostilePort, _ extra: [String: String] = ["account": "a"],
    tokens: [String] = [SMTPTestMail.accessToken.text]
  ) -> (outcome: Int32, message: String) {
    let values = [
      "host": "localhost", "port": "\(port.port)", "ca_file": port.server.authority.authority,
      "security": port.script.security, "timeout": "20000",
    ].merging(extra) { $1 }
    let host = PluginHost(values, tokens: tokens)
    var outcome: Int32 = 0
    host.with { host in
      guard host.open() else { return }
      outcome = host.check()
      host.close()
    }
    return (outcome, host.failure + host.reply)
  }

  @Test func `check reports the login, the round trips and the size limit`() throws {
    var found = check(try hostile())
    #expect(found.outcome == PABAL_READY)
    #expect(
      found.message.contains(
        "logged in as alice@example.test; one round trip per mail, mails up to 35882577 bytes"))
    found = check(try hostile([:], without: ["CHUNKING"]))
    #expect(found.message.contains("two round trips per mail"))
    let port = try hostile([:], without: ["PIPELINING"])
    found = check(port, [:])
    #expect(found.message.contains("without a login; one round trip per command"))
    #expect(try port.report().quits == 1)
    #expect(try port.report().commands.allSatisfy { !$0.hasPrefix("MAIL") })
  }

  @Test func `check says what is wrong and what to do`() throws {
    let good = try hostile()
    let authority = good.server.authority
    var script = SMTPServerScript()
    script.certificate = authority.expired
    let expired = try hostile(script)
    script.certificate = authority.foreign
    let foreign = try hostile(script)
    script = SMTPServerScript()
    script.security = "starttls"
    let startTLS = try hostile(script)
    script.offersBefore = []
    let noTLS = try hostile(script)
    script = SMTPServerScript()
    script.logins = [
      "XOAUTH2": ["alice@example.test", "another"], "PLAIN": ["alice@example.test", "another"],
    ]
    let strict = try hostile(script)
    let password = ["user": "alice@example.test", "password": "wrong"]
    let off = try hostile([
      "auth": .reply(
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.")
    ])
    let app = try hostile(["auth": .reply("534 5.7.9 Application-specific password required")])
    let rows: [(HostilePort, [String: String], Int, [String])] = [
      (good, ["account": "a", "host": "no-such-host.invalid"], PABAL_DEFERRED, ["no address", "\"host\""]),
      (good, ["account": "a", "port": "1"], PABAL_DEFERRED, ["doesn't accept connections", "\"port\""]),
      (
        good, ["account": "a", "ca_file": authority.expired], PABAL_HELD,
        ["isn't trusted", "\"ca_file\""]
      ),
      (
        good, ["account": "a", "ca_file": "/nowhere"], PABAL_HELD,
        ["can't be read", "\"ca_file\" /nowhere is missing"]
      ),
      (
        good, ["account": "a", "ca_file": authority.expired, "ca_directory": "/nowhere"], PABAL_HELD,
        ["\"ca_directory\" /nowhere is missing"]
      ),
      (
        try hostile(["greeting": .bytes(Array("hello there\r\n".utf8))]), ["account": "a"], PABAL_DEFERRED,
        ["doesn't speak SMTP"]
      ),
      (expired, ["account": "a"], PABAL_HELD, ["has expired"]),
      (foreign, ["account": "a"], PABAL_HELD, ["another name", "\"host\""]),
      (startTLS, ["account": "a", "security": "tls"], PABAL_DEFERRED, ["\"starttls\""]),
      (
        good, ["account": "a", "security": "starttls", "timeout": "1000"], PABAL_DEFERRED,
        ["doesn't answer", "\"security\""]
      ),
      (noTLS, ["account": "a"], PABAL_HELD, ["no STARTTLS", "\"tls\""]),
      (try hostile([:], without: ["AUTH"]), ["account": "a"], PABAL_HELD, ["offers no login"]),
      (strict, ["account": "a"], PABAL_HELD, ["access token of alice@example.test", "status 401", "again"]),
      (strict, password, PABAL_HELD, ["password of alice@example.test", "535 5.7.8"]),
      (app, password, PABAL_HELD, ["app password", "\"account\""]),
      (off, ["account": "a"], PABAL_HELD, ["switched off", "administrator"]),
      (off, password, PABAL_HELD, ["switched off", "administrator"]),
    ]
    for (port, values, outcome, message) in rows {
      let found = check(
        port, values, tokens: [SMTPTestMail.accessToken.text, SMTPTestMail.accessToken.text])
      #expect(Int(found.outcome) == outcome, "\(values): \(found.message)")
      for word in message { #expect(found.message.contains(word), "\(found.message)") }
    }
  }

  @Test func `a host with a port is refused`() {
    for host in ["localhost:465", "smtp.example.test:465", "smtp:465:1"] {
      #expect(PluginHost.open(["host": host]).contains("without a port"), "\(host)")
    }
    for host in ["localhost", "::1", "2001:db8::25"] {
      #expect(PluginHost.open(["host": host]) == "", "\(host)")
    }
  }

  @Test func `without a token the host's verdict is kept`() throws {
    let found = check(try hostile(), tokens: [])
    #expect(found.outcome == 0)
    #expect(found.message == "")
  }

  @Test func `the server's queue id is found in its reply`() {
    for (reply, id) in [
      ("250 2.0.0 Ok: queued as 4VxYzw0", "4VxYzw0"), ("250 OK id=1abcDE-0001-2f", "1abcDE-0001-2f"),
      ("250 2.0.0 OK  1700000000 abc-xyz.12 - gsmtp", "abc-xyz.12"),
      ("250 2.6.0 <abc@host> [InternalId=1] Queued mail for delivery", "<abc@host>"), ("250 ok", nil),
    ] { #expect(QueueID.find(in: reply) == id) }
  }
}
