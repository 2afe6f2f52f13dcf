import Foundation
import PabalTesting
import Testing

/// `sendmail` together with `pabal serve`.
@Suite struct SendmailServeTests {
  /// A site whose `serve` has the socket and the drop directory of `door`.
  private static func site(_ door: SubmissionSite, transport: String? = nil) throws -> TestSite {
    let submission =
      #""serve": { "submission": { "socket": "\#(door.directory.path)/submit", "drop": "\#(door.directory.path)/drop" } }"#
    return try TestSite(transport ?? TestSite.shipped(with: submission))
  }

  private static func serve(_ site: TestSite, tracer: [String] = []) throws -> InteractiveProcess {
    let words = tracer + ["\(BuiltProducts.directory)/pabal", "serve"]
    return try InteractiveProcess(
      words[0], Array(words.dropFirst()), environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
  }

  private static func stop(_ server: InteractiveProcess) throws -> String {
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0, "\(end.errors)")
    return end.errors
  }

  @Test func `a mail over the socket arrives with its body and exactly its recipients`() throws {
    let door = try SubmissionSite(nil)
    let site = try Self.site(door)
    let server = try Self.serve(site)
    try server.transcript(until: "submission listening path=")
    let input = "To: a@example.com\nBcc: b@example.com\nSubject: hi\n\none\n.\n..two \u{E9}\n"
    let run = try door.sendmail(["-v", "-t", "-i", "-f", "me@example.com", "c@example.com"], input: input)
    #expect(run.status == 0, "\(run.errors)")
    let id = run.errors.trimmingCharacters(in: .newlines).suffix(26)
    let log = try server.transcript(until: "state=sent")
    #expect(log.contains("submitted mail=\(id) submitter=local:"))
    let shown = try site.pabal("outbox", "show", String(id), "--json")
    #expect(shown.status == 0, "\(shown.errors)")
    let bs = try door.sendmail(
      ["-bs"],
      input:
        "EHLO x\nMAIL FROM:<me@example.com>\nRCPT TO:<d@example.com>\nDATA\nSubject: second\n\n..dot\n.\nQUIT\n"
    )
    #expect(bs.output.contains("250 2.0.0 queued as "), "\(bs.output)")
    try eventually { site.mails.count == 2 }
    _ = try Self.stop(server)
    let mails = try site.mails.map {
      try String(contentsOfFile: "\(site.directory.path)/mail/\($0)", encoding: .utf8)
    }
    let first = try #require(mails.first { $0.contains("Subject: hi") })
    #expect(first.hasSuffix("\r\n\r\none\r\n.\r\n..two \u{E9}\r\n"))
    #expect(first.hasPrefix("Received: "))
    #expect(!first.contains("b@example.com") && !first.contains("c@example.com"))
    let second = try #require(mails.first { $0.contains("Subject: second") })
    #expect(second.hasSuffix("\r\n\r\n.dot\r\n"))
  }

  @Test func `mail that was left while serve was down is sent when it starts, and while it runs`() throws {
    let door = try SubmissionSite(nil)
    try door.makeDrop()
    let site = try Self.site(door)
    #expect(try door.sendmail(["you@example.com"], input: "Subject: before\n\ntext\n").status == 0)
    let id = try #require(door.dropped.first)
    #expect(mkfifo("\(door.directory.path)/drop/01M5PWP165041061050R3GG28A", 0o440) == 0)
    let server = try Self.serve(site)
    try server.transcript(until: "door=drop")
    try eventually { site.mails.count == 1 }
    #expect(site.mails == ["\(id).eml"])
    let late = try door.sendmail(
      ["--socket", "/nonexistent", "you@example.com"], input: "Subject: while\n\ntext\n")
    #expect(late.status == 0, "\(late.errors)")
    try eventually { site.mails.count == 2 }
    try eventually { door.dropped == ["01M5PWP165041061050R3GG28A"] }
    let log = try Self.stop(server)
    #expect(log.matches(of: /drop unusable/).count == 1)
    #expect(log.contains("submitted mail=\(id) submitter=local:"))
  }

  @Test(.needs("strace")) func `kill -9 between commit and removal neither loses nor doubles a mail`() throws
  {
    let door = try SubmissionSite(nil)
    try door.makeDrop()
    let sink = try SMTPSink(in: door.directory, delay: 0)
    func configuration(port: Int) -> String {
      """
      {
        "transport": "smtp",
        "transports": { "smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": \(port), "security": "none" } },
        "from": "pabal@example.com",
        "outbox": { "lease": "5s" },
        "serve": { "submission": { "socket": "\(door.directory.path)/submit", "drop": "\(door.directory.path)/drop" } }
      }
      """
    }
    // Nothing listens on port 1, so that no attempt of a killed process can have sent a mail.
    let site = try Self.site(door, transport: configuration(port: 1))
    let addresses = (0..<40).map { "r\($0)@example.com" }
    for address in addresses {
      let run = try door.sendmail(["-f", "me@example.com", address])
      #expect(run.status == 0, "\(run.errors)")
    }
    let dropped = door.dropped
    #expect(dropped.count == 40)
    // Before a removal is made, and as it is made. strace counts the calls of each thread.
    for fault in ["error=EIO:signal=SIGKILL:when=1", "signal=SIGKILL:when=1", "signal=SIGKILL:when=2"] {
      let server = try Self.serve(
        site,
        tracer: [
          "/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=unlinkat", "-e",
          "inject=unlinkat:\(fault)",
        ])
      let end = try server.finish()
      #expect(end.status == -9, "\(end.errors)")
      #expect(end.errors.contains("submission listening path="))
    }
    #expect(door.dropped.count > 30)
    let queued = try site.pabal("outbox", "list", "--json").json["counts"] as? [String: Int]
    #expect(queued?.values.reduce(0, +) ?? 0 >= 32)
    try site.directory.write(configuration(port: sink.port), to: "config.json")
    let server = try Self.serve(site)
    try eventually { door.dropped.isEmpty }
    #expect(try site.pabal("outbox", "retry", "--all").status == 0)
    try eventually {
      _ = try site.pabal("outbox", "retry", "--all")
      return try sink.taken().count >= 40
    }
    _ = try Self.stop(server)
    let taken = try sink.taken()
    #expect(Set(taken.keys) == Set(addresses))
    #expect(taken.values.allSatisfy { $0.count == 1 })
  }
}
