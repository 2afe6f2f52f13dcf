import Foundation
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// Header and envelope: only the recipients in the envelope get the mail, and all of them do.
@Suite struct EnvelopeHeaderTests {
  /// Returns the body of the request, or throws why the API can't carry the mail.
  private func bytes(_ header: String, to recipients: [String]) throws -> String {
    let mail = Array("\(header)\r\n\r\nbody\r\n".utf8)
    return try mail.withUnsafeBytes { bytes in
      let upload = try RESTMail(sender: "a@b.test", recipients: recipients, bytes: bytes).reconciled(
        for: GmailAPI.limits)
      #expect(upload.count == upload.head.count + upload.tail.count)
      return String(decoding: upload.head + Array(upload.tail), as: UTF8.self)
    }
  }

  private func errorMessage(_ header: String, to recipients: [String]) -> String? {
    do {
      _ = try bytes(header, to: recipients)
      return nil
    } catch {
      return (error as? UnsuitedMailError)?.message
    }
  }

  @Test(arguments: [
    "To: bob@example.net", "to: Bob <BOB@Example.NET>", "To: \"Bob, B.\" <bob@example.net>",
    "TO:\r\n bob@example.net", "To: =?utf-8?q?B=2C_x=40y.z?= <bob@example.net>",
    "To: friends: bob@example.net;", "To: friends: Bob <bob@example.net>, ;", "Cc: bob@example.net",
    "Bcc: bob@example.net", "To: bob@example.net (his (only) address)", "To: (\\) <x@y.z>) bob@example.net",
    "To: undisclosed-recipients:;\r\nBcc: bob@example.net", "To: bob@example.net, bob@example.net",
    "To: bob@example.net <bob@example.net>", "To: Bob Q. Public [x] <bob@example.net>",
    "To: ,bob@example.net,,", "To : bob@example.net", "To: \"bob\"@example.net", "To: 밥 <bob@example.net>",
    "To: bob@example.net\r\nSubject: Cc: eve@example.org\r\n Bcc: eve@example.org",
    "X-To: eve@example.org\r\nTo: bob@example.net", "To: bob@example.net\r\nReply-To: eve@example.org",
    "To: \"a\\\"b <x@y.z>\" <bob@example.net>", "To:\t\"folded\r\n name\"\r\n\t<bob@example.net>",
  ])
  func `a header that names the recipient stays unchanged`(header: String) throws {
    #expect(try bytes(header, to: ["bob@example.net"]) == "\(header)\r\n\r\nbody\r\n")
  }

  @Test(arguments: [
    ("To: bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
    ("To: bob@bücher.example", "bob@xn--bcher-kva.example"),
    ("To: bob@BÜCHER.Example", "bob@xn--bcher-kva.example"),
    ("To: 밥@example.net", "밥@example.net"), ("To: bob@[192.0.2.1]", "bob@[192.0.2.1]"),
  ])
  func `domains are compared as A-labels`(header: String, recipient: String) throws {
    #expect(try bytes(header, to: [recipient]) == "\(header)\r\n\r\nbody\r\n")
  }

  @Test func `a quoted local part with blanks is found in the header, or added to it`() throws {
    let recipient = #""john doe \" x"@example.net"#
    for header in ["To: \(recipient)", "To: John <\(recipient)>", "Bcc: a@b.test,\r\n \(recipient)"] {
      let recipients = header.hasPrefix("Bcc") ? ["a@b.test", recipient] : [recipient]
      #expect(try bytes(header, to: recipients) == "\(header)\r\n\r\nbody\r\n")
    }
    #expect(
      try bytes("To: a@b.test", to: ["a@b.test", recipient])
        == "Bcc: \(recipient)\r\nTo: a@b.test\r\n\r\nbody\r\n")
    for invalid in [#"john doe@example.net"#, #" "a"@example.net x"#, "\"a\tb\"@example.net"] {
      #expect(errorMessage("To: a@b.test", to: ["a@b.test", invalid]) != nil)
    }
  }

  @Test(arguments: [
    "To: bob@example.net, eve@example.org", "Cc: eve@example.org", "Bcc: eve@example.org",
    "To: friends: bob@example.net, eve@example.org;", "To: bob@example.net (x), Eve <EVE@example.org>",
    "to: bob@example.net,\r\n\teve@example.org", "CC : eve@example.org",
    "To: \"bob@example.net\" <eve@example.org>", "To: bob@example.net.evil.example",
    "To: bob@example.net\r\nCc: \"<bob@example.net>\" <eve@example.org>",
  ])
  func `a header that names another address makes the mail unsuited`(header: String) {
    let message = errorMessage(header, to: ["bob@example.net"])
    #expect(message?.contains("which isn't a recipient of this attempt") == true, "\(message ?? "none")")
  }

  @Test(arguments: [
    "To: bob", "To: bob@", "To: @example.net", "To: bob@example.net eve@example.org",
    "To: bob@example.net; eve@example.org", "To: <bob@example.net", "To: Bob <bob@example.net> x",
    "To: (bob@example.net", "To: \"bob@example.net", "To: friends: bob@example.net", "To: bob..x@example.net",
    "To: .bob@example.net", "To: bob@example..net", "To: bob@example.net.", "To: a@b.c <bob@example.net>",
    "To: bo b@example.net", "To: <@relay.test:bob@example.net>", "To: bob@exa mple.net", "To: a: b: c@d.e;;",
    "To: bob@exam\u{1}ple.net", "To: bob\\@x@example.net", "To: bob@-\u{FF}_.net", "To: bob@xn--\u{80}.net",
    "To: <bob@example.net>, <>", "To: bob@example.net\0", "To: \"b\tob\"@example.net",
  ])
  func `an ambiguous or malformed header makes the mail unsuited`(header: String) {
    let message = errorMessage(header, to: ["bob@example.net"])
    #expect(message?.contains("is ambiguous or malformed") == true, "\(message ?? "none")")
  }

  @Test(arguments: [
    ("Resent-To: bob@example.net\r\nTo: bob@example.net", "Resent-"), ("resent-bcc: x@y.z", "Resent-"),
    ("To: bob@example.net\r\nTo: bob@example.net", "two To"),
    ("Bcc: bob@example.net\r\nbcc: bob@example.net", "two Bcc"),
    ("To: bob@example.net\r\nno field", "isn't a field"), (" To: bob@example.net", "isn't a field"),
    ("To: bob@example.net\r\n: x", "isn't a field"), ("To bob@example.net", "isn't a field"),
    ("To: bob@example.net\rBcc: eve@example.org", "doesn't end with CR LF"),
    ("Subject: x\nBcc: eve@example.org", "doesn't end with CR LF"),
  ])
  func `a header that Gmail may read in different ways makes the mail unsuited`(header: String, word: String)
  {
    let message = errorMessage(header, to: ["bob@example.net"])
    #expect(message?.contains(word) == true, "\(message ?? "none")")
  }

  @Test func `recipients that the header doesn't name are added as one folded Bcc`() throws {
    #expect(
      try bytes("To: bob@example.net", to: ["bob@example.net", "c@x.org", "d@x.org"])
        == "Bcc: c@x.org, d@x.org\r\nTo: bob@example.net\r\n\r\nbody\r\n")
    #expect(try bytes("Subject: x", to: ["c@x.org"]) == "Bcc: c@x.org\r\nSubject: x\r\n\r\nbody\r\n")
    let many = (0..<99).map { "somebody-\($0)@example.org" }
    let text = try bytes("To: undisclosed-recipients:;", to: many)
    let lines = text.components(separatedBy: "\r\n")
    #expect(lines.allSatisfy { $0.utf8.count <= 78 })
    var scanner = HeaderScanner(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(try scanner.next() == nil)
    let read = try ChildProcess.run(
      "python3",
      [
        "-c",
        "import sys,email,email.policy; m=email.message_from_bytes(sys.stdin.buffer.read(),policy=email.policy.default); print(*[a.addr_spec for a in m['bcc'].addresses])",
      ], input: Array(text.utf8))
    #expect(read.output == many.joined(separator: " ") + "\n")
  }

  @Test func `an existing Bcc is merged into the one that is added`() throws {
    #expect(
      try bytes(
        "To: b@x.org\r\nBcc: c@x.org,\r\n d@x.org\r\nSubject: s",
        to: ["b@x.org", "c@x.org", "d@x.org", "e@x.org"])
        == "Bcc: e@x.org,\r\n c@x.org,\r\n d@x.org\r\nTo: b@x.org\r\nSubject: s\r\n\r\nbody\r\n")
    #expect(
      try bytes("Bcc: \r\nTo: b@x.org", to: ["b@x.org", "e@x.org"])
        == "Bcc: e@x.org\r\nTo: b@x.org\r\n\r\nbody\r\n")
  }

  @Test(arguments: [
    "a@b.c\r\nBcc: eve@x.org", "a@b.c, eve@x.org", "A <a@b.c>", "g: a@b.c;", "a", "a @b.c", "",
  ])
  func `an address that isn't valid in a header makes the mail unsuited`(recipient: String) {
    #expect(errorMessage("Subject: x", to: [recipient])?.contains("can't be written in a header") == true)
  }

  @Test func `a mail beyond the API's limits is unsuited without a connection`() throws {
    var mail = RESTTestMail.small
    mail.bytes += Array(repeating: UInt8(ascii: "x"), count: GmailAPI.limits.maxSize)
    let port = try gmail()
    #expect(mail.sendResult(try port.client())?.verdict == .unsuited)
    #expect(errorMessage("Subject: x", to: (0...500).map { "a\($0)@x.org" })?.contains("recipients") == true)
    #expect(try port.report().connections == 0)
  }

  @Test func `an unsuited mail isn't sent, and a Bcc is invisible to the others`() throws {
    let port = try gmail()
    let client = try port.client()
    let sendResult = RESTTestMail("To: bob@example.net, eve@example.org", to: "bob@example.net").sendResult(
      client)
    #expect(sendResult?.verdict == .unsuited)
    #expect(try port.report().connections == 0)
    let hidden = RESTTestMail(
      "To: bob@example.net\r\nSubject: x", to: "bob@example.net", "carol@example.org")
    #expect(hidden.sendResult(client)?.verdict == .sent)
    let taken = try #require(try port.report().taken.first)
    #expect(taken.recipients == ["bob@example.net", "carol@example.org"])
    #expect(taken.bcc == ["carol@example.org"])
    #expect(Array(try #require(taken.delivered)) == hidden.bytes)
  }
}
