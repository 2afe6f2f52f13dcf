import PabalCore
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// What is changed in the header of a submitted mail, byte for byte.
@Suite struct `The header of a submitted mail` {
  private static let identity = MailIdentity(milliseconds: 0, utcOffset: 0, random: [])
  private static let hosts = LocalHosts(host: "web1", mailName: nil)
  private static let received =
    "Received: by web1 with local id \(identity.id);\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"

  private func aliases() throws -> Aliases {
    let text = """
      { "transport": "c", "transports": { "c": { "plugin": "file" } }, "from": "a@example.com",
        "aliases": { "root": "ops@a.example", "team": ["kim@a.example", "lee@b.example"] } }
      """
    return try Configuration.read(Array(text.utf8), file: "config.json", directory: "/").aliases
  }

  /// Returns the header after the changes, without the Received field.
  private func changed(_ header: String, forced: String? = nil, body: String = "text\r\n") throws -> (
    header: String, removed: [RemovedSignature]
  ) {
    var changes = SubmittedMail.Changes()
    changes.rewriting = AddressRewriting(try aliases(), Self.hosts, completing: "web1")
    changes.author = try forced.map { try Mailbox($0) }
    let envelope = try #require(
      Envelope(sender: try Address("me@web1"), recipients: [try Address("you@a.example")]))
    let mail = header.replacing("\n", with: "\r\n") + "\r\n" + body
    let finished = try SubmittedMail(Array(mail.utf8), lineEnds: .any).finish(
      envelope: envelope, received: ReceivedField(host: "web1"), identity: Self.identity, changes: changes)
    let text = String(decoding: finished.mail.bytes, as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
    #expect(parts.last.map(String.init) == body)
    #expect(text.hasPrefix(Self.received))
    return (
      String(parts[0].dropFirst(Self.received.count)).replacing("\r\n", with: "\n") + "\n",
      finished.removedSignatures
    )
  }

  private static let rest = "Date: today\nMessage-ID: <x@y>\n"

  @Test(arguments: [
    // Unchanged, whatever it looks like.
    ("From: a@b.example\nTo:  you@c.example ,\n\tx@y.example (why)\n", nil),
    ("From: \"A B\" <a@b.example>\nTo: undisclosed-recipients:;\nX: root\nReply-To: root\n", nil),
    ("From: a@b.example\nTo: not a list <\nCc: \u{1}\n", nil),
    // Completed.
    ("From: root (Cron Daemon)\nTo: kim\n", "From: root@web1 (Cron Daemon)\nTo: kim@web1\n"),
    ("FROM : \"Root\"  <root>\n", "FROM : \"Root\"  <root@web1>\n"),
    (
      "From: \"a b\"\nCc: friends: kim, x@y.example;\n",
      "From: \"a b\"@web1\nCc: friends: kim@web1, x@y.example;\n"
    ),
    // Aliases, in To and Cc only.
    ("From: root@web1\nTo: root@web1\n", "From: root@web1\nTo: ops@a.example\n"),
    (
      "From: a@b.example\nTo: =?utf-8?q?R=C3=B6t?=\n <root>(x), Team <team@localhost> (all),\n\t\"Kim, L\" <k@c.example>\n",
      "From: a@b.example\nTo: =?utf-8?q?R=C3=B6t?=\n <ops@a.example>(x), Team <kim@a.example>,\n lee@b.example (all),\n\t\"Kim, L\" <k@c.example>\n"
    ),
    (
      "From: a@b.example\nCc: ROOT, root@web1.example, <@hop:root@web1>\n",
      "From: a@b.example\nCc: ops@a.example, root@web1.example, <ops@a.example>\n"
    ),
    (
      "From: a@b.example\nTo: you@c.example\nTo: team\nResent-To: root\n",
      "From: a@b.example\nTo: you@c.example\nTo: kim@a.example,\n lee@b.example\nResent-To: ops@a.example\n"
    ),
  ]) func `completes names and replaces aliases, and keeps the rest byte for byte`(
    _ header: String, _ expected: String?
  ) throws {
    let result = try changed(header + Self.rest)
    #expect(result.header == (expected ?? header) + Self.rest)
    #expect(result.removed.isEmpty)
  }

  @Test(arguments: [
    ("From: a@b.example\n", "app@c.example", "From: app@c.example\n", "Reply-To: a@b.example\n"),
    (
      "From: =?utf-8?q?Kim?=\n <kim@b.example> (x)\n", "app@c.example",
      "From: =?utf-8?q?Kim?=\n <app@c.example> (x)\n", "Reply-To: =?utf-8?q?Kim?=\n <kim@b.example> (x)\n"
    ),
    (
      "From: Kim <kim@b.example>\n", "Shop <app@c.example>", "From: Shop <app@c.example>\n",
      "Reply-To: Kim <kim@b.example>\n"
    ),
    ("From: root\nReply-To: x\n", "app@c.example", "From: app@c.example\nReply-To: x\n", ""),
    ("From: root\n", "app@c.example", "From: app@c.example\n", "Reply-To: root@web1\n"),
    // The author already.
    ("From: \"App\" <APP@c.example>\n", "Shop <app@c.example>", "From: \"App\" <APP@c.example>\n", ""),
    // Several authors, and none.
    (
      "From: a@b.example, c@d.example\n", "app@c.example", "From: app@c.example\n",
      "Reply-To: a@b.example, c@d.example\n"
    ),
    (
      "From: a@b.example\nFrom: app@c.example\n", "app@c.example", "From: app@c.example\n",
      "Reply-To: a@b.example\n"
    ),
    ("From: not an address <\n", "app@c.example", "From: app@c.example\n", ""),
    ("From: group:;\n", "app@c.example", "From: app@c.example\n", ""),
    // Who sent it, and who sent it again.
    (
      "From: app@c.example\nSender: ceo@b.example\n", "app@c.example", "From: app@c.example\n", ""
    ),
    (
      "From: app@c.example\nSender: App <APP@c.example> (x)\n", "app@c.example",
      "From: app@c.example\nSender: App <APP@c.example> (x)\n", ""
    ),
    (
      "Resent-From: ceo@b.example\nResent-Sender: boss@b.example\nFrom: app@c.example\n",
      "Shop <app@c.example>", "Resent-From: Shop <app@c.example>\nFrom: app@c.example\n", ""
    ),
    (
      "Resent-From: app@c.example, ceo@b.example\nResent-Sender: not <\nFrom: app@c.example\n",
      "app@c.example", "Resent-From: app@c.example\nFrom: app@c.example\n", ""
    ),
  ]) func `has a forced author, and the one before as the address for replies`(
    _ header: String, _ forced: String, _ expected: String, _ added: String
  ) throws {
    #expect(try changed(header + Self.rest, forced: forced).header == expected + Self.rest + added)
  }

  @Test(arguments: [(30_000, false), (400, true)])
  func `is refused if aliases make it larger than a header may be`(_ count: Int, _ isAccepted: Bool) throws {
    let names = Array(repeating: "team", count: count).joined(separator: ",\n ")
    let header = "From: a@b.example\nTo: \(names)\n"
    #expect(header.utf8.count < 262_144)
    guard !isAccepted else {
      _ = try changed(header)
      return
    }
    let error = #expect(throws: MailError.self) { try changed(header) }
    #expect(error?.field == "header" && error?.message.contains("aliases") == true)
  }

  @Test func `without an author gets the forced one`() throws {
    #expect(
      try changed(Self.rest, forced: "Shop <app@c.example>").header == Self.rest
        + "From: Shop <app@c.example>\n")
  }

  @Test func `loses Bcc and Return-Path, and gets what is missing`() throws {
    let header = "Bcc: a@b.example\nSubject: x\nReturn-Path: <z@y>\nResent-Bcc: c@d.example\nbcc : e\n"
    #expect(
      try changed(header).header
        == "Subject: x\nFrom: me@web1\nDate: Thu, 01 Jan 1970 00:00:00 +0000\nMessage-ID: <000000000000000000000000@web1>\n"
    )
  }

  @Test(arguments: [
    ("h=from:subject", "To: root\n", nil, true), ("h=From : T\n\to:subject", "To: root\n", nil, false),
    ("h=from:to", "To: you@c.example\n", nil, true), ("h=to", "To: root@web1.example\n", nil, true),
    ("h=from", "", "app@c.example", false), ("h=subject:date", "", "app@c.example", true),
    ("h=sender", "Sender: x@y.example\n", "app@c.example", false),
    ("h=sender", "Sender: app@c.example\n", "app@c.example", true),
    // A field that is added, or removed, and one that isn't there.
    ("h=reply-to", "", "app@c.example", false),
    ("h=reply-to", "Reply-To: x@y.example\n", "app@c.example", true),
    ("h=bcc", "Bcc: x@y.example\n", nil, false), ("h=bcc", "", nil, true),
    ("h=cc", "Bcc: x@y.example\n", nil, true),
    // Of two fields with one name, the last one is covered first.
    ("h=to", "To: root\nTo: you@c.example\n", nil, true),
    ("h=to:to", "To: root\nTo: you@c.example\n", nil, false),
    ("h=received", "Received: by a; b\n", nil, true),
    ("h=received:received", "Received: by a; b\n", nil, false),
    ("v=1; no tag", "To: root\n", nil, true),
  ]) func `keeps a signature unless it covers a change`(
    _ tags: String, _ header: String, _ forced: String?, _ isKept: Bool
  ) throws {
    let signature = "DKIM-Signature: v=1; d=b.example; \(tags.replacing("T\n\to", with: "\n\tto")); b=xyz\n"
    let result = try changed(
      signature + "From: a@b.example\nSubject: s\n" + header + Self.rest, forced: forced)
    #expect(result.header.contains("DKIM-Signature") == isKept)
    #expect(result.removed.map(\.domain) == (isKept ? [] : ["b.example"]))
  }

  @Test func `examines each signature by itself, and those that cover another one`() throws {
    let signatures =
      "DKIM-Signature: d=one.example; h=from:to; b=1\nDKIM-Signature: d=two.example; h=from; b=2\n"
      + "DKIM-Signature: d=three.example; h=from:dkim-signature:dkim-signature; b=3\n"
    let result = try changed(signatures + "From: a@b.example\nTo: root\n" + Self.rest)
    #expect(
      result.header == "DKIM-Signature: d=two.example; h=from; b=2\nFrom: a@b.example\nTo: ops@a.example\n"
        + Self.rest)
    #expect(
      result.removed == [
        RemovedSignature(domain: "one.example", changed: ["to"]),
        RemovedSignature(domain: "three.example", changed: ["dkim-signature"]),
      ])
  }

  @Test func `with thousands of signatures takes no longer than others`() throws {
    let covering = String(repeating: "DKIM-Signature: h=from:to:dkim-signature:cc; b=1\n", count: 4_000)
    let clock = ContinuousClock()
    var result: (header: String, removed: [RemovedSignature])?
    let time = try clock.measure {
      result = try changed(covering + "From: a@b.example\nTo: root\n" + Self.rest)
    }
    #expect(result?.removed.count == 4_000)
    #expect(result?.header == "From: a@b.example\nTo: ops@a.example\n" + Self.rest)
    let names = "DKIM-Signature: h=" + String(repeating: "x:", count: 60_000) + "from; b=1\n"
    let fields = String(repeating: "x: 1\n", count: 20_000)
    let other = try clock.measure {
      result = try changed(names + fields + "From: a@b.example\n" + Self.rest, forced: "c@d.example")
    }
    #expect(result?.removed.map(\.changed) == [["from"]])
    // A debug build takes a fraction of a second for either.
    #expect(time < .seconds(20) && other < .seconds(20), "\(time) \(other)")
  }

  @Test func `with a body that is encoded keeps no signature`() throws {
    let header = "DKIM-Signature: d=a.example; h=from; b=1\nFrom: a@b.example\n" + Self.rest
    let mail = Array((header + "\n").replacing("\n", with: "\r\n").utf8) + [0x61, 0x0D, 0x62, 0x0A]
    let envelope = try #require(Envelope(sender: nil, recipients: [try Address("you@a.example")]))
    let finished = try SubmittedMail(mail, lineEnds: .any).finish(
      envelope: envelope, received: ReceivedField(host: "web1"), identity: Self.identity)
    #expect(finished.removedSignatures == [RemovedSignature(domain: "a.example", changed: ["body"])])
    #expect(!String(decoding: finished.mail.bytes, as: UTF8.self).contains("DKIM"))
  }
}
