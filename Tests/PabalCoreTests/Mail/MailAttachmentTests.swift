import Foundation
import PabalCore
import PabalTesting
import Testing

/// Attachments as independent readers see them.
@Suite struct MailAttachmentTests {
  /// A part as Python's `email` package reads it.
  private struct Part: Decodable, Equatable {
    var name: String?
    var type: String
    var disposition: String?
    var size: Int
    var digest: String
  }

  private struct Read: Decodable {
    var type: String
    var parts: [Part]
    var defects: [String]
    var longest: Int
  }

  private static func read(_ mail: Mail) async throws -> Read {
    let script = """
      import sys, json, email, email.policy, hashlib
      data = sys.stdin.buffer.read()
      mail = email.message_from_bytes(data, policy=email.policy.default)
      parts, defects = [], list(mail.defects)
      for part in mail.walk():
          defects += part.defects
          if part.is_multipart(): continue
          content = part.get_payload(decode=True)
          parts.append({"name": part.get_filename(), "type": part.get_content_type(), "disposition": part.get_content_disposition(),
                        "size": len(content), "digest": hashlib.sha256(content).hexdigest()})
      print(json.dumps({"type": mail.get_content_type(), "parts": parts, "defects": [str(d) for d in defects],
                        "longest": max(len(line) for line in data.split(b"\\r\\n"))}))
      """
    let output = try await run("python3", ["-c", script], input: Data(mail.bytes))
    return try JSONDecoder().decode(Read.self, from: output)
  }

  private static func draft(_ attachments: [MailAttachment], html: String? = "<p>본문</p>") throws -> Mail {
    try MailDraft(
      from: Mailbox("a@example.com"), to: [Mailbox("b@example.com")], subject: "x", text: "본문", html: html,
      attachments: attachments
    ).finish(identity: .fixed)
  }

  @Test func `Python reads each name, type and byte of the files, beside both forms of the text`()
    async throws
  {
    var generator = SeededGenerator(seed: 7)
    let names = [
      "report.pdf", "영수증 2026년 12월.pdf", "a\"b; c=d.txt", "=?utf-8?q?x?=.txt", "100% 'quoted'.csv", "😀👩‍👩‍👧.png",
      String(repeating: "가", count: 85), String(repeating: "long-name-", count: 25), " leading and trailing ",
      "naïve résumé.doc", "a\u{200F}fdp.exe", ".hidden", "x",
    ]
    let files = try names.enumerated().map { number, name in
      let content = (0..<(number * 977)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      return try MailAttachment(
        name: name, type: number == 0 ? "Application/PDF" : "image/png", content: content)
    }
    let read = try await Self.read(Self.draft(files))
    #expect(read.type == "multipart/mixed" && read.defects == [] && read.longest <= 78)
    #expect(read.parts.prefix(2).map(\.type) == ["text/plain", "text/html"])
    #expect(read.parts.dropFirst(2).map(\.name) == names.map { $0.trimmingCharacters(in: .whitespaces) })
    #expect(read.parts.dropFirst(2).allSatisfy { $0.disposition == "attachment" })
    #expect(read.parts.dropFirst(2).map(\.size) == files.map(\.content.count))
    #expect(
      read.parts.dropFirst(2).map(\.type) == ["application/pdf"] + Array(repeating: "image/png", count: 12))
    let digests = try await run(
      "python3", ["-c", "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"],
      input: Data(files[12].content))
    #expect(
      read.parts.last?.digest == String(decoding: digests, as: UTF8.self).trimmingCharacters(in: .newlines))
  }

  @Test func `a mail without HTML, and one with an empty file, are complete`() async throws {
    let read = try await Self.read(Self.draft([MailAttachment(name: "empty", content: [])], html: nil))
    #expect(read.parts.map(\.type) == ["text/plain", "application/octet-stream"])
    #expect(read.parts.last?.size == 0 && read.defects == [])
  }

  @Test func `a decomposed name, as macOS has it, is composed`() throws {
    let name = "\u{1112}\u{1161}\u{11AB}.txt"
    #expect(
      Array(try MailAttachment(name: name, content: []).name.unicodeScalars) == Array("한.txt".unicodeScalars))
  }

  @Test(arguments: [
    ("", "empty"), (".", "path"), ("..", "path"), ("a/b.txt", "path"), ("C:\\x.txt", "path"),
    ("a\r\nBcc: x@y", "line"), ("a\nb", "line"), ("a\0b", "NUL"), ("a\u{2028}b", "line"), ("a\tb", "tab"),
    ("a\u{85}b", "C1"), ("invoice\u{202E}fdp.exe", "bidi"), ("a\u{2066}b", "isolate"),
    (String(repeating: "x", count: 256), "long"),
  ])
  func `a name that isn't the name of a file is refused`(name: String, why: String) {
    let error = #expect(throws: MailError.self) { try MailAttachment(name: name, content: []) }
    #expect(error?.field == "name" && error?.remedy != nil, "\(why)")
  }

  @Test(arguments: [
    "", "pdf", "application/", "/pdf", "application/pdf\r\nBcc: x@y", "application/p df", "text/plain;",
    "text/plain; charset",
    "text/plain; charset=\"a\r\nb\"", "text/plain; charset=\"a", "text/plain; charset=ütf",
    "text/plain charset=utf-8",
    "application/pdf; a=b\u{7F}", "multipart/mixed", "Multipart/Mixed; boundary=x", "message/rfc822",
    "message/partial; id=1",
    "a/" + String(repeating: "x", count: 254), "text/plain; a=\"\\\"\"",
  ])
  func `a type that isn't that of a file is refused, and can't add a field`(type: String) {
    let error = #expect(throws: MailError.self) { try MailAttachment(name: "x", type: type, content: []) }
    #expect(error?.field == "type" && error?.remedy != nil)
  }

  @Test func `parameters of a type are kept`() async throws {
    let type = "TEXT/Calendar ;method=REQUEST;  charset=\"utf-8\""
    let mail = try Self.draft([MailAttachment(name: "x.ics", type: type, content: Array("BEGIN".utf8))])
    let text = String(decoding: mail.bytes, as: UTF8.self)
    #expect(text.contains("Content-Type: text/calendar;\r\n method=REQUEST;\r\n charset=\"utf-8\"\r\n"))
    let read = try await Self.read(mail)
    #expect(read.parts.last?.type == "text/calendar" && read.defects == [])
  }
}
