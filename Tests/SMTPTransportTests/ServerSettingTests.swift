import CPabalTransport
import PabalFormats
import PabalTesting
import Testing

@testable import SMTPTransport

/// Settings that decide where a connection leads: international names, private networks, a proxy, old TLS.
@Suite struct ServerSettingTests {
  @Test func `an international host name is converted to A-labels`() {
    #expect(HostName.ascii("우체국.example") == "xn--3e0b129b9he.example")
    #expect(HostName.ascii("Smtp.BÜCHER.example") == "smtp.xn--bcher-kva.example")
    #expect(HostName.ascii("smtp.example.com") == "smtp.example.com")
    #expect(HostName.ascii("::1") == "::1")
    #expect(HostName.ascii("a\u{0}ü.example") == nil)
    #expect(PluginHost.open(["host": "우체국.example"]) == "")
    for host in ["우 체국.example", "우체국.example:465", "우체국.example/x", "\u{200D}.example"] {
      #expect(PluginHost.open(["host": host]).contains("not a host name"), "\(host)")
    }
  }

  @Test func `private addresses are those of no public network`() {
    for address in [
      "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.2", "169.254.3.4", "127.0.0.1", "::1", "fd00::2",
      "fc12::1", "fe80::1", "fe80::1%eth0", "::ffff:10.1.2.3",
    ] { #expect(PrivateAddress.matches(address), "\(address)") }
    for address in [
      "8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "11.0.0.1", "192.0.2.2", "2001:db8::1", "::2",
      "::",
      "::ffff:8.8.8.8", "64:ff9b::a00:1", "mailpit", "", "10.0.0", "10.1",
    ] { #expect(!PrivateAddress.matches(address), "\(address)") }
  }

  @Test func `unencrypted mail needs this machine, or permission and a private address`() throws {
    let plain = ["security": "none"]
    func open(_ values: [String: String]) -> String { PluginHost.open(plain.merging(values) { $1 }) }
    #expect(open(["host": "localhost"]) == "")
    #expect(open(["host": "mailpit"]).contains("\"allow_unencrypted\""))
    #expect(open(["host": "mailpit", "allow_unencrypted": "1"]) == "")
    #expect(
      open(["host": "mailpit", "allow_unencrypted": "1", "user": "me", "password": "secret"])
        .contains("remove the login"))
    #expect(open(["host": "mailpit", "allow_unencrypted": "1", "account": "a"]).contains("remove the login"))
    #expect(
      open(["host": "mailpit", "allow_unencrypted": "1", "proxy": "http://proxy.example:3128"])
        .contains("remove \"proxy\""))
  }

  @Test func `a private server without TLS gets mail and a warning, a public one gets nothing`() throws {
    let addresses = try ChildProcess.run("hostname", ["-I"]).output.split(whereSeparator: \.isWhitespace)
    var script = SMTPServerScript()
    script.security = "none"
    script.any = true
    for address in addresses.map(String.init) {
      let port = try hostile(script)
      let host = PluginHost([
        "host": address, "port": "\(port.port)", "security": "none", "allow_unencrypted": "1",
      ])
      host.with { host in
        #expect(host.open())
        let isPrivate = PrivateAddress.matches(address)
        #expect(Int(host.check()) == (isPrivate ? PABAL_READY : PABAL_HELD), "\(host.reply)")
        #expect(host.reply.contains(isPrivate ? "warning: unencrypted" : "isn't private"), "\(host.reply)")
        #expect(Int(host.send(.small)) == (isPrivate ? PABAL_SENT : PABAL_HELD), "\(host.reply)")
        host.close()
      }
      if !PrivateAddress.matches(address) { #expect(try port.report().commands.isEmpty) }
    }
  }

  @Test(arguments: ["tls", "starttls", "none"]) func `a proxy connects by CONNECT`(_ security: String) throws
  {
    var script = SMTPServerScript()
    script.security = security
    let port = try hostile(script)
    let proxy = try ConnectProxy(to: port.port)
    // The certificate is for localhost, to which no proxy applies; so TLS fails behind the proxy, after its answer.
    var server = SMTPServer(
      host: "smtp.example.test", port: 2_525, security: port.script.security == "tls" ? .tls : .starttls,
      ehlo: "client.test", login: HostilePort.login)
    server.certificateFile = port.server.authority.authority
    server.proxy = try HTTPProxy("http://127.0.0.1:\(proxy.port)")
    let results = SMTPTestMail.small.recipientResults(SMTPClient(server, now: { 0 }))
    #expect(try proxy.requests().map(\.request) == ["CONNECT smtp.example.test:2525 HTTP/1.1"])
    #expect(results?.map(\.outcome) == [.held(.transport)])
    #expect(
      results?.first?.message.contains(security == "none" ? "offers no STARTTLS" : "another name") == true,
      "\(results?.first?.message ?? "")")
  }

  @Test func `a proxy that refuses is named`() throws {
    for (status, outcome) in [
      (403, SMTPOutcome.held(.transport)), (407, .held(.transport)), (503, .deferred),
    ] {
      let proxy = try ConnectProxy(to: 1, status: status)
      var server = SMTPServer(
        host: "smtp.example.test", port: 465, security: .tls, ehlo: "client.test", login: HostilePort.login)
      server.proxy = try HTTPProxy("http://127.0.0.1:\(proxy.port)")
      let results = SMTPTestMail.small.recipientResults(SMTPClient(server, now: { 0 }))
      #expect(results?.map(\.outcome) == [outcome])
      #expect(results?.first?.message.contains("the proxy http://127.0.0.1:\(proxy.port)") == true)
    }
    #expect(PluginHost.open(["host": "smtp.example.test", "proxy": "socks5://x:1"]).contains("\"proxy\""))
    #expect(PluginHost.open(["host": "smtp.example.test", "proxy": "http://me:secret@x:1"]) == "")
  }

  @Test(arguments: ["tls", "starttls"]) func `a server whose TLS is too old holds the transport`(
    _ security: String
  ) throws {
    var script = SMTPServerScript()
    script.security = security
    script.oldTLS = true
    let results = SMTPTestMail.small.recipientResults(try hostile(script).client())
    #expect(results?.map(\.outcome) == [.held(.transport)])
    #expect(results?.first?.message.contains("is too old") == true, "\(results?.first?.message ?? "")")
  }
}
