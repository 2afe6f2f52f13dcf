import Foundation
import PabalCore
import Testing

/// Mail as it comes out of other programs' folders and hands.
@Suite struct ForeignMailTests {
  private func finish(_ bytes: [UInt8]) throws -> Mail {
    try RawMail(bytes).finish(
      recipients: [Address("you@example.org")], from: Mailbox("me@example.com"), identity: .fixed)
  }

  private func text(_ mail: String) throws -> String {
    String(decoding: try finish(Array(mail.utf8)).bytes, as: UTF8.self)
  }

  @Test(arguments: [
    "\r\nBcc: secret@x.kr\r\nSubject: x\r\n\r\nbody", "\n\n\nBcc: secret@x.kr\nSubject: x\n\nbody",
    "\rBcc: secret@x.kr\rSubject: x\r\rbody", " \t\nBcc: secret@x.kr\nSubject: x\n\nbody", "\n", "\r\n", " ",
    "\t \r\n",
    "\u{FEFF}Bcc: secret@x.kr\nSubject: x\n\nbody", "\u{FEFF}\nBcc: secret@x.kr\n\nbody",
    "\r\n\u{FEFF}Bcc: secret@x.kr\nSubject: x\n\nbody",
    "From me@example.com Mon Nov 30 20:00:00 2026\nBcc: x@y\n\nbody",
    ">From me@example.com Mon Nov 30 20:00:00 2026\nBcc: x@y\n\nbody", "Dear Kim,\n\nBcc: x@y\n", "Hello\n",
    "Dear Kim: hello\nBcc: x@y\n\n", "-----Original Message-----\nFrom: a@b\n\nx",
    " Subject: x\nBcc: x@y\n\nbody",
    "\u{3000}\nBcc: x@y\n\nbody", "\u{0C}\nBcc: x@y\n\nbody", "\0\nBcc: x@y\n\nbody",
    "<html>\nBcc: x@y\n\nbody",
  ])
  func `a mail that doesn't begin with its header is refused`(mail: String) {
    let problem = #expect(throws: MailError.self) { try RawMail(Array(mail.utf8)) }
    #expect(problem?.field == "header line 1")
    #expect(problem?.remedy != nil)
  }

  @Test func `a mail in UTF-16 is refused`() {
    for bytes in [[0xFF, 0xFE, 0x42, 0], [0xFE, 0xFF, 0, 0x42]] as [[UInt8]] {
      let problem = #expect(throws: MailError.self) { try RawMail(bytes) }
      #expect(problem?.message == "the mail is encoded as UTF-16")
    }
  }

  @Test func `a line of blanks in a header neither ends it nor is sent`() throws {
    for end in ["\r\n", "\n"] {
      let mail =
        "From: a@b\nTo: c@d,\n \t\n e@f\n \nBcc: secret@x.kr\nDate: x\nMessage-ID: <m@b>\n  \n\nbody\n"
        .replacing("\n", with: end)
      let sent = "From: a@b\r\nTo: c@d,\r\n e@f\r\nDate: x\r\nMessage-ID: <m@b>\r\n\r\nbody\r\n"
      #expect(try text(mail) == sent)
    }
  }

  @Test func `traces of an earlier delivery are removed`() throws {
    let mail = """
      Return-Path: <bounces@list.example>
      Delivered-To: you@example.org
      X-Original-To: you@example.org
      DELIVERED-TO : other@example.org
      Envelope-to: you@example.org
      Delivery-date: Mon, 30 Nov 2026 20:00:00 +0000
      Received: from a by b; Mon, 30 Nov 2026 20:00:00 +0000
      From: a@b
      Content-Length: 17
      Status: RO
      X-Status: A
      X-Delivered-To: kept
      Content-Type: text/plain
      Date: x
      Message-ID: <m@b>

      Return-Path: body

      """
    #expect(
      try text(mail)
        == "Received: from a by b; Mon, 30 Nov 2026 20:00:00 +0000\r\nFrom: a@b\r\nX-Delivered-To: kept\r\nContent-Type: text/plain\r\nDate: x\r\nMessage-ID: <m@b>\r\n\r\nReturn-Path: body\r\n"
    )
  }

  private static let ids = (0..<30).map { "<\(String(repeating: "\($0 % 10)", count: 40))@x.example>" }

  @Test(arguments: [
    "References: " + ids.joined(separator: " "), "In-Reply-To:" + ids.joined(separator: "\t"),
    "References:\r\n " + ids.joined(separator: "  "),
    "Subject: " + String(repeating: "긴 제목 ", count: 100) + "끝",
    "X-Folded: a\r\n\t" + String(repeating: "word ", count: 300) + "end\r\n b",
    "To: " + (0..<40).map { "\"Kim, \($0)\" <kim\($0)@example.com>" }.joined(separator: ", "),
    "X-Quoted: \"" + String(repeating: #"a\ b "#, count: 200) + "\"",
    "DKIM-Signature: v=1; " + String(repeating: "a=b; ", count: 200) + "b="
      + String(repeating: "x", count: 980),
  ])
  func `a long line of a header is folded at its blanks`(field: String) throws {
    for end in ["\r\n", "\n"] {
      let sent = try text(
        "Date: x\r\nMessage-ID: <m@b>\r\nFrom: a@b\r\n\(field)\r\n\r\nbody\r\n".replacing("\r\n", with: end))
      let lines = sent.components(separatedBy: "\r\n")
      #expect(
        lines.allSatisfy { $0.utf8.count <= 998 && !($0.hasPrefix(" ") && $0.allSatisfy(\.isWhitespace)) })
      // Unfolded, it is the same field.
      let unfolded = sent.replacing("\r\n ", with: " ").replacing("\r\n\t", with: "\t")
      #expect(unfolded.contains(field.replacing("\r\n ", with: " ").replacing("\r\n\t", with: "\t")))
      #expect(!sent.contains("\\\r\n"))
      #expect(lines.count > 10)
    }
  }

  @Test func `only lines longer than 998 bytes are folded, and blanks at the end never make a line`() throws {
    let fits = "X: " + String(repeating: "ab ", count: 331) + "ab"
    #expect(fits.utf8.count == 998)
    #expect(try text("From: a@b\r\n\(fits)\r\n\r\n").contains("\r\n\(fits)\r\n"))
    let blanks = "X: a" + String(repeating: " ", count: 2_000)
    #expect(try text("From: a@b\r\n\(blanks)\r\n\r\n").contains("\r\nX: a\r\n"))
    let word = "X: " + String(repeating: "w", count: 997)
    #expect(try text("From: a@b\r\n\(word)\r\n\r\n").contains("\r\nX:\r\n \(word.dropFirst(3))\r\n"))
    let problem = #expect(throws: MailError.self) { try RawMail(Array("From: a@b\r\n\(word)w\r\n\r\n".utf8)) }
    #expect(problem?.field == "header line 2")
  }

  private static let binary: [UInt8] =
    [0x0D] + Array("PNG\n\r\n\0\r".utf8) + [0xFF, 0x0A, 0x0A] + Array(0...255) + [0x0D]

  private func part(_ type: String, _ encoding: String, _ body: [UInt8], _ end: String) -> [UInt8] {
    Array("Content-Type: \(type)\(end)content-transfer-encoding: \(encoding)\(end)\(end)".utf8) + body
  }

  private func multipart(_ boundary: String, _ parts: [[UInt8]], _ end: String) -> [UInt8] {
    parts.reduce(into: Array("preamble\(end)".utf8)) {
      $0 += Array("--\(boundary)\(end)".utf8) + $1 + Array(end.utf8)
    }
      + Array("--\(boundary)--\(end)epilogue\(end)".utf8)
  }

  private struct Leaf: Decodable, Equatable {
    let type: String
    let encoding: String
    let content: String
  }

  /// The leaves as Python's parser decodes them.
  private func leaves(_ mail: [UInt8]) async throws -> [Leaf] {
    let script = """
      import sys, json, email, email.policy, base64
      mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.SMTP)
      print(json.dumps([{"type": p.get_content_type(), "encoding": str(p.get("content-transfer-encoding", "")),
        "content": base64.b64encode(p.get_payload(decode=True)).decode()} for p in mail.walk() if not p.is_multipart()]))
      """
    return try JSONDecoder().decode(
      [Leaf].self, from: try await run("python3", ["-c", script], input: Data(mail)))
  }

  @Test(arguments: ["\r\n", "\n"])
  func `a binary part is encoded with exactly its bytes, at any depth`(end: String) async throws {
    let head = Array(
      "From: a@b\(end)Date: x\(end)Message-ID: <m@b>\(end)MIME-Version: 1.0\(end)DKIM-Signature: v=1\(end)"
        .utf8)
    let binary = Self.binary
    let image = part("image/png", "Binary", binary, end)
    let note = part("text/plain; charset=utf-8", "8bit", Array("파발\(end)".utf8), end)
    let alternative = part(
      "multipart/alternative; boundary=\"in ner\"", "binary", multipart("in ner", [note, image], end), end)
    let message = part("message/rfc822", "binary", Array("Subject: inner\(end)".utf8) + alternative, end)
    let mails = [
      (image, [binary]),
      (
        part("multipart/mixed; boundary=outer", "binary", multipart("outer", [note, image, note], end), end),
        [binary]
      ),
      (
        part(
          "multipart/mixed;\(end) boundary=outer", "binary",
          multipart("outer", [alternative, message, image], end), end), [binary, binary, binary]
      ),
    ]
    for (entity, contents) in mails {
      let mail = try finish(head + entity)
      #expect(!String(decoding: mail.bytes, as: UTF8.self).lowercased().contains("binary"))
      #expect(!mail.bytes.contains(0))
      #expect(
        !String(decoding: mail.bytes, as: UTF8.self).replacing("\r\n", with: "").contains {
          $0 == "\n" || $0 == "\r"
        })
      #expect(!String(decoding: mail.bytes, as: UTF8.self).contains("DKIM"))
      let leaves = try await leaves(mail.bytes)
      let images = leaves.filter { $0.type == "image/png" }
      #expect(images.allSatisfy { $0.encoding == "base64" })
      #expect(images.map(\.content) == contents.map { Data($0).base64EncodedString() })
      for note in leaves where note.type == "text/plain" {
        #expect(Data(base64Encoded: note.content).map { String(decoding: $0, as: UTF8.self) } == "파발\r\n")
      }
      #expect(mail.needs8BitMIME == leaves.contains { $0.type == "text/plain" })
    }
  }

  @Test func `a binary part that is lines is kept byte for byte`() throws {
    let head = "From: a@b\r\nDate: x\r\nMessage-ID: <m@b>\r\n"
    for mail in [
      head + "Content-Transfer-Encoding: binary\r\n\r\nlines\r\nof text\r\n",
      head
        + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n--b--\r\n",
      head + "\r\nContent-Transfer-Encoding: binary\r\n",
    ] { #expect(try text(mail) == mail) }
    let unix = "From: a@b\nDate: x\nMessage-ID: <m@b>\nContent-Transfer-Encoding: binary\n\nlines\nof text\n"
    #expect(try text(unix) == unix.replacing("\n", with: "\r\n"))
  }

  @Test func `a binary mail without a line end at its end gets none`() async throws {
    let head = "From: a@b\r\nDate: x\r\nMessage-ID: <m@b>\r\n"
    let mail = try finish(Array(head.utf8) + part("image/png", "binary", Array("ab".utf8), "\r\n"))
    #expect(try await leaves(mail.bytes).map(\.content) == [Data("ab".utf8).base64EncodedString()])
  }

  @Test func `a binary part that can't be encoded is refused`() throws {
    let head = Array("From: a@b\r\nMIME-Version: 1.0\r\n".utf8)
    let image = part("image/png", "binary", Self.binary, "\r\n")
    let signature = part("application/pgp-signature", "7bit", Array("x".utf8), "\r\n")
    let signed = part(
      "multipart/signed; boundary=s", "binary", multipart("s", [image, signature], "\r\n"), "\r\n")
    #expect(throws: MailError.self) { try finish(head + signed) }
    let odd = Array("X: ".utf8) + [0xC7, 0xD1] + Array("\r\n".utf8) + image
    let mixed = part("multipart/mixed; boundary=m", "binary", multipart("m", [odd], "\r\n"), "\r\n")
    #expect(throws: MailError.self) { try finish(head + mixed) }
  }
}
