import Glibc
import NIOCore
import PabalTesting
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// Connections to the listener: who may send, and what one client can take.
@Suite(.timeLimit(.minutes(2))) struct SubmissionServerTests {
  private let mail = "Subject: a\r\n\r\nbody\r\n.\r\n"

  private func begin(_ client: SMTPTestClient) async throws {
    #expect(try await client.command("EHLO client.test").hasPrefix("250"))
    #expect(try await client.command("MAIL FROM:<a@example.com>").hasPrefix("250"))
    #expect(try await client.command("RCPT TO:<b@example.com>").hasPrefix("250"))
    #expect(try await client.command("DATA").hasPrefix("354"))
  }

  @Test func `a mail from a listed network is submitted with its envelope`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    try await begin(client)
    await client.send(mail)
    #expect(try await client.reply() == "250 2.0.0 queued as M1")
    let submitted = try #require(fixture.mails.first)
    #expect(submitted.submitter == .network("127.0.0.1"))
    #expect(submitted.recipients.map(\.description) == ["b@example.com"])
    #expect(String(decoding: submitted.bytes, as: UTF8.self) == "Subject: a\r\n\r\nbody\r\n")
    #expect(submitted.trace.address == "127.0.0.1")
    guard case .submitted("M1", .network, .smtp, 1, _) = fixture.events.first else {
      Issue.record("\(fixture.events)")
      return
    }
    #expect(try await client.command("QUIT").hasPrefix("221"))
    #expect(await client.line() == nil)
    await fixture.server.finish()
    #expect(fixture.server.arrivingBytes == 0)
  }

  @Test func `a network that a reload removes sends no more mail over open connections`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    let sending = try await fixture.connect()
    #expect(try await client.command("EHLO client.test").hasPrefix("250"))
    try await begin(sending)
    try fixture.reload(#"{ "listen": "127.0.0.1:0", "security": "none", "networks": ["192.0.2.0/24"] }"#)
    #expect(try await client.command("MAIL FROM:<a@example.com>").hasPrefix("530 5.7.0"))
    await sending.send(mail)
    #expect(try await sending.reply().hasPrefix("530 5.7.0"))
    #expect(fixture.mails.isEmpty)
    #expect(fixture.events.count == 2)
    try fixture.reload(#"{ "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.0/8"] }"#)
    #expect(try await client.command("MAIL FROM:<a@example.com>").hasPrefix("250"))
    await fixture.server.finish()
  }

  @Test func `mail that the dialogue refuses is reported once`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    try await begin(client)
    await client.send("Subject: a\r\n\r\nbare\nline\r\n.\r\n")
    #expect(try await client.reply().hasPrefix("550 5.6.0"))
    try await until { !fixture.events.isEmpty }
    guard case .refused(.network("127.0.0.1"), .smtp, 550, "5.6.0") = fixture.events.first else {
      Issue.record("\(fixture.events)")
      return
    }
    #expect(fixture.events.count == 1)
    await fixture.server.finish()
  }

  @Test func `loopback proves nothing, and passwords need TLS`() async throws {
    let hash = PasswordHash(logCost: 4, salt: Array(0..<16), hash: Array(0..<32)).text
    let fixture = try await ServerFixture(
      #"{ "listen": "127.0.0.1:0", "security": "none", "users": { "u": { "password": "\#(hash)" } } }"#)
    let client = try await fixture.connect()
    let extensions = try await client.command("EHLO client.test")
    #expect(!extensions.contains("AUTH") && !extensions.contains("STARTTLS"))
    #expect(try await client.command("AUTH PLAIN AHUAcA==").hasPrefix("5"))
    #expect(try await client.command("MAIL FROM:<a@example.com>").hasPrefix("530"))
    await fixture.server.finish()
  }

  @Test func `a program on this machine is known by its user, and the socket goes with the server`()
    async throws
  {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/submit"
    let fixture = try await ServerFixture(#"{ "socket": "\#(path)" }"#)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o666)
    let client = try await SMTPTestClient.connect(path: path)
    #expect(try await client.reply().hasPrefix("220"))
    try await begin(client)
    await client.send(mail)
    #expect(try await client.reply().hasPrefix("250 2.0.0"))
    #expect(fixture.mails.first?.submitter == .local(LocalPeer(uid: getuid()).name))
    #expect(fixture.mails.first?.trace.address == nil)
    await client.close()
    await fixture.server.finish()
    #expect(stat(path, &status) != 0)
  }

  @Test func `a socket that a killed process left is replaced, and a live one or another file isn't`()
    async throws
  {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/submit"
    let text = #"{ "socket": "\#(path)" }"#
    let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    close(stale)
    let fixture = try await ServerFixture(text)
    let problem = await #expect(throws: Diagnostic.self) { try await ServerFixture(text) }
    #expect(problem?.message.contains("Address already in use") == true)
    // The failed start hasn't taken the socket away.
    _ = try await SMTPTestClient.connect(path: path).reply()
    await fixture.server.finish(patience: .seconds(1))
    try directory.write("content", to: "submit")
    await #expect(throws: Diagnostic.self) { try await ServerFixture(text) }
    #expect(try readFile(path, atMost: 100) == Array("content".utf8))
  }

  @Test func `one user of this machine can't occupy all connections`() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/submit"
    let fixture = try await ServerFixture(#"{ "socket": "\#(path)", "limits": { "perAddress": 2 } }"#)
    var clients: [SMTPTestClient] = []
    for expected in ["220", "220", "421 4.7.0"] {
      let client = try await SMTPTestClient.connect(path: path)
      #expect(try await client.reply().hasPrefix(expected))
      clients.append(client)
    }
    #expect(await clients[2].line() == nil)
    await clients[0].close()
    try await until { fixture.server.connectionCount == 1 }
    #expect(try await SMTPTestClient.connect(path: path).reply().hasPrefix("220"))
    await fixture.server.finish(patience: .seconds(1))
  }

  @Test func `strangers give way to new connections, and known clients don't`() async throws {
    let fixture = try await ServerFixture(
      #"{ "listen": "127.0.0.1:0", "security": "none", "limits": { "connections": 2 } }"#)
    let first = try await fixture.connect()
    let second = try await fixture.connect()
    let third = try await fixture.connect()
    #expect(try await first.reply().hasPrefix("421 4.7.0"))
    #expect(try await second.command("NOOP").hasPrefix("250"))
    #expect(try await third.command("NOOP").hasPrefix("250"))
    await fixture.server.finish()

    let known = try await ServerFixture(
      #"{ "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"], "limits": { "connections": 2 } }"#
    )
    let (one, two) = (try await known.connect(), try await known.connect())
    // A greeting was sent, so both are known.
    #expect(try await SMTPTestClient.connect(port: known.port).reply().hasPrefix("421 4.7.0"))
    #expect(try await one.command("NOOP").hasPrefix("250"))
    #expect(try await two.command("NOOP").hasPrefix("250"))
    await known.server.finish()
  }

  @Test func `when the service stops, idle clients get 421 and a mail that is being stored its reply`()
    async throws
  {
    let fixture = try await ServerFixture()
    let (idle, busy) = (try await fixture.connect(), try await fixture.connect())
    fixture.hold(true)
    try await begin(busy)
    await busy.send(mail)
    try await until { fixture.heldCount == 1 }
    async let finished: Void = fixture.server.finish()
    #expect(try await idle.reply().hasPrefix("421 4.3.2"))
    #expect(await idle.line() == nil)
    fixture.release()
    #expect(try await busy.reply() == "250 2.0.0 queued as M1")
    #expect(try await busy.reply().hasPrefix("421 4.3.2"))
    await finished
    #expect(fixture.server.connectionCount == 0)
    await #expect(throws: (any Error).self) { try await SMTPTestClient.connect(port: fixture.port) }
  }

  @Test func `a stranger's time ends although it sends a byte now and then`() async throws {
    var times = ConnectionTimes()
    times.stranger = .milliseconds(300)
    let fixture = try await ServerFixture(#"{ "listen": "127.0.0.1:0", "security": "none" }"#, times: times)
    let client = try await fixture.connect()
    let trickle = Task { while await client.send("E") { try await Task.sleep(for: .milliseconds(20)) } }
    #expect(try await client.reply().hasPrefix("421 4.4.2"))
    trickle.cancel()
    await fixture.server.finish()
  }

  @Test func `a stranger that only makes conversation is closed`() async throws {
    var times = ConnectionTimes()
    times.strangerTotal = .milliseconds(300)
    let fixture = try await ServerFixture(
      #"{ "listen": "127.0.0.1:0", "security": "none", "limits": { "commands": 100000 } }"#, times: times)
    let client = try await fixture.connect()
    var last = ""
    while !last.hasPrefix("421") { last = try await client.command("NOOP") }
    #expect(last.hasPrefix("421 4.4.2"))
    await fixture.server.finish()
  }

  @Test func `content that trickles in takes no more time than its size allows`() async throws {
    var times = ConnectionTimes()
    times.contentBase = .milliseconds(300)
    let fixture = try await ServerFixture(times: times)
    let client = try await fixture.connect()
    try await begin(client)
    let trickle = Task { while await client.send("a") { try await Task.sleep(for: .milliseconds(20)) } }
    #expect(try await client.reply().hasPrefix("421 4.4.2"))
    trickle.cancel()
    #expect(fixture.mails.isEmpty)
    await fixture.server.finish()
    #expect(fixture.server.arrivingBytes == 0)
  }

  @Test(arguments: [(1_000, "452 4.3.1"), (1 << 40, "250")])
  func `no mail is accepted without room for it`(free: Int, expected: String) async throws {
    let fixture = try await ServerFixture(free: free)
    let client = try await fixture.connect()
    #expect(try await client.command("EHLO client.test").hasPrefix("250"))
    #expect(try await client.command("MAIL FROM:<a@example.com>").hasPrefix(expected))
    await fixture.server.finish()
  }

  @Test func `mails that arrive at once share a limit, and those beyond it are deferred`() async throws {
    let fixture = try await ServerFixture(
      """
      { "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"],
        "limits": { "size": 1048576, "memory": 1048576 } }
      """)
    let (first, second) = (try await fixture.connect(), try await fixture.connect())
    let line = String(repeating: "a", count: 70) + "\r\n"
    let half = String(repeating: line, count: 600_000 / line.utf8.count)
    try await begin(first)
    try await begin(second)
    await first.send(half)
    try await until { fixture.server.arrivingBytes > 500_000 }
    await second.send(half + ".\r\n")
    #expect(try await second.reply().hasPrefix("452 4.3.1"))
    await first.send(".\r\n")
    #expect(try await first.reply().hasPrefix("250"))
    try await until { fixture.server.arrivingBytes == 0 }
    // There is room again.
    #expect(try await second.command("RSET").hasPrefix("250"))
    try await begin(second)
    await second.send(half + ".\r\n")
    #expect(try await second.reply().hasPrefix("250"))
    await fixture.server.finish()
    #expect(fixture.server.arrivingBytes == 0)
  }

  @Test func `a client that has closed its side gets its replies`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    try await begin(client)
    await client.send(mail + "QUIT\r\n")
    await client.endSending()
    #expect(try await client.reply().hasPrefix("250 2.0.0"))
    #expect(try await client.reply().hasPrefix("221"))
    #expect(await client.line() == nil)
    try await until { fixture.server.connectionCount == 0 }
    await fixture.server.finish()
  }

  @Test func `a mail that was cut off isn't submitted`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    try await begin(client)
    await client.send("Subject: a\r\n\r\nbody\r\n")
    await client.endSending()
    #expect(await client.line() == nil)
    try await until { fixture.server.connectionCount == 0 }
    #expect(fixture.mails.isEmpty)
    #expect(fixture.server.arrivingBytes == 0)
    await fixture.server.finish()
  }

  @Test func `a client that has gone while its mail is stored leaves nothing behind`() async throws {
    let fixture = try await ServerFixture()
    let client = try await fixture.connect()
    fixture.hold(true)
    try await begin(client)
    await client.send(mail)
    try await until { fixture.heldCount == 1 }
    #expect(fixture.server.arrivingBytes > 0)
    await client.close()
    fixture.release()
    try await until { fixture.server.arrivingBytes == 0 }
    #expect(fixture.mails.count == 1)
    await fixture.server.finish(patience: .seconds(1))
    #expect(fixture.server.connectionCount == 0)
  }

  @Test func `what isn't SMTP is closed`() async throws {
    let fixture = try await ServerFixture(#"{ "listen": "127.0.0.1:0", "security": "none" }"#)
    let client = try await fixture.connect()
    await client.send("GET / HTTP/1.1\r\n\r\n")
    #expect(try await client.reply().hasPrefix("5"))
    #expect(await client.line() == nil)
    await fixture.server.finish()
  }

  @Test func `a server that can't use one of its endpoints uses none`() async throws {
    let fixture = try await ServerFixture()
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/submit"
    let problem = await #expect(throws: Diagnostic.self) {
      try await ServerFixture(
        #"{ "listen": "127.0.0.1:\#(fixture.port)", "security": "none", "networks": ["127.0.0.1"], "socket": "\#(path)" }"#
      )
    }
    #expect(problem?.path == "serve.submission")
    #expect(!path.exists)
    await fixture.server.finish()
  }
}
