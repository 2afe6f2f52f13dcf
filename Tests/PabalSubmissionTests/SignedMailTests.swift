import Foundation
import PabalTesting
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// DKIM signatures of submitted mail, made and verified by dkimpy.
@Suite struct `A signed mail that is submitted` {
  private static let python = Result { () throws -> String in
    let run = try ChildProcess.run("\(BuiltProducts.root)/Tests/python-environment", [])
    guard run.status == 0 else { throw TestError(run.errors) }
    return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private struct Verified: Decodable {
    var valid: [String]
    var others: [String]
  }

  /// A mail, the header fields that its signatures cover, and which are valid after the changes.
  private struct Case {
    var header: String
    var body = "text \r\n\r\n..dots\r\n\r\n\r\n"
    var signatures: [String: [String]]
    var forced: String?
    var kept: Set<String>
  }

  private static let all = ["from", "to", "cc", "subject", "date", "message-id", "reply-to"]
  private static let cases = [
    // Nothing that is signed changes, although Received is added and Bcc removed.
    Case(
      header:
        "Received: by x; y\nFrom: a@b.example\nTo: \"Kim,  L\"\n <you@c.example>\nBcc: hidden@c.example\nSubject:  x\n",
      signatures: ["a.example": all, "b.example": ["from", "from", "received"]],
      kept: ["a.example", "b.example"]),
    Case(
      header: "From: a@b.example\nTo: root\n",
      signatures: ["a.example": all, "b.example": ["from", "subject"]],
      kept: ["b.example"]),
    // RFC 6376 has each signature cover From.
    Case(
      header: "From: a@b.example\nTo: you@c.example\n",
      signatures: ["a.example": all, "b.example": ["from"]],
      forced: "app@c.example", kept: []),
    // Of two fields with one name, the lower one is covered first.
    Case(
      header: "From: a@b.example\nTo: root\nTo: you@c.example\n",
      signatures: ["a.example": ["from", "to"], "b.example": ["from", "to", "to"]], kept: ["a.example"]),
    Case(
      header: "From: a@b.example\nBcc: hidden@c.example\n",
      signatures: ["a.example": ["from", "bcc"], "b.example": ["from", "resent-bcc"]], kept: ["b.example"]),
    // The author that is forced already.
    Case(
      header: "From: \"App\" <app@c.example>\nTo: you@c.example\n", signatures: ["a.example": all],
      forced: "Shop <app@c.example>", kept: ["a.example"]),
  ]

  private func run(_ command: String, _ cases: [[String: Any]], in folder: String) throws -> Data {
    let run = try ChildProcess.run(
      try Self.python.get(), ["\(BuiltProducts.root)/Tests/Servers/signed_mails.py", command],
      input: Array(try JSONSerialization.data(withJSONObject: cases)), directory: folder)
    try #require(run.status == 0, "\(run.errors)")
    return Data(run.output.utf8)
  }

  @Test func `keeps the signatures that are valid, and no other`() throws {
    let folder = try TemporaryDirectory()
    let made = try ChildProcess.run(
      "openssl", ["genrsa", "-traditional", "-out", "\(folder.path)/dkim.key", "2048"])
    try #require(made.status == 0, "\(made.errors)")
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "file" } }, "from": "a@example.com",
        "aliases": { "root": "ops@a.example" } }
      """
    let aliases = try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/")
      .aliases
    let signed = try JSONDecoder().decode(
      [String].self,
      from: run(
        "sign",
        Self.cases.map { item in
          let header = item.header + "Date: Tue, 01 Dec 2026 00:00:00 +0000\nMessage-ID: <x@y>\n\n"
          return [
            "mail": header.replacing("\n", with: "\r\n") + item.body,
            "signatures": item.signatures.sorted { $0.key < $1.key }.map {
              ["domain": $0.key, "fields": $0.value]
            },
          ]
        }, in: folder.path))
    var finished: [String] = []
    for (item, mail) in zip(Self.cases, signed) {
      var changes = SubmittedMail.Changes()
      changes.rewriting = AddressRewriting(
        aliases, LocalHosts(host: "web1", mailName: nil), completing: "web1")
      changes.author = try item.forced.map { try Mailbox($0) }
      let envelope = try #require(
        Envelope(sender: try Address("me@web1"), recipients: [try Address("you@a.example")]))
      let result = try SubmittedMail(Array(mail.utf8), lineEnds: .crlf).finish(
        envelope: envelope, received: ReceivedField(host: "web1"), identity: .now(), changes: changes)
      finished.append(String(decoding: result.mail.bytes, as: UTF8.self))
      #expect(
        Set(result.removedSignatures.map(\.domain)) == Set(item.signatures.keys).subtracting(item.kept),
        "\(item)")
    }
    func verify(_ mails: [String]) throws -> [Verified] {
      try JSONDecoder().decode(
        [Verified].self, from: run("verify", mails.map { ["mail": $0] }, in: folder.path))
    }
    for (item, before) in zip(Self.cases, try verify(signed)) {
      #expect(Set(before.valid) == Set(item.signatures.keys) && before.others.isEmpty, "\(item)")
    }
    for (item, after) in zip(Self.cases, try verify(finished)) {
      #expect(Set(after.valid) == item.kept && after.others.isEmpty, "\(item)")
    }
    // The verifier does find what a change breaks.
    let changed = try verify([signed[0].replacing("Subject:  x", with: "Subject: x")])
    #expect(changed.first?.others == ["a.example"])
  }
}
