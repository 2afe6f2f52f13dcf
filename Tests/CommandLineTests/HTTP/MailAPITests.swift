import Foundation
import PabalTesting
import Testing

/// `POST /v1/mails` as an application uses it instead of SMTP.
@Suite struct MailAPITests {
  private func run(_ kind: String, _ http: HTTPTestSite) throws -> [String: Any] {
    let run = try ChildProcess.run(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/mails_api.py", "\(http.port)", "\(http.number)", kind])
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  /// What Python's `email` package finds in a mail: fields, names and digests of its files.
  private func parse(_ mail: String) throws -> [String: Any] {
    let script = """
      import sys, json, email, email.policy, hashlib
      mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
      data = open(sys.argv[1], "rb").read()
      print(json.dumps({"fields": {n: str(v) for n, v in mail.items()}, "names": [p.get_filename() for p in mail.iter_attachments()],
        "digests": [hashlib.sha256(p.get_payload(decode=True)).hexdigest() for p in mail.iter_attachments()],
        "text": mail.get_body(("plain",)).get_content(), "defects": [str(d) for p in mail.walk() for d in p.defects],
        "types": [p["Content-Type"] for p in mail.iter_attachments()],
        "body": hashlib.sha256(data.partition(b"\\r\\n\\r\\n")[2]).hexdigest()}))
      """
    let run = try ChildProcess.run("python3", ["-c", script, mail])
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  @Test
  func `a finished mail keeps its body byte for byte and loses Bcc, and only the query is its envelope`()
    throws
  {
    let http = try HTTPTestSite()
    let result = try run("finished", http)
    #expect(
      result["status"] as? Int == 202 && result["second"] as? Int == 202
        && result["state"] as? String == "sent")
    #expect(http.site.mails.count == 2)
    for name in http.site.mails {
      let mail = try parse("\(http.site.directory.path)/mail/\(name)")
      #expect(mail["body"] as? String == result["body"] as? String)
      #expect(mail["names"] as? [String] == ["영수증.pdf"] && mail["defects"] as? [String] == [])
      let fields = try #require(mail["fields"] as? [String: String])
      #expect(fields["Bcc"] == nil && fields["To"] == "other@example.com" && fields["Subject"] == "주문")
      #expect(fields["Received"]?.contains(" with HTTP id \(name.dropLast(4));") == true, "\(fields)")
      #expect(fields["Message-ID"]?.hasSuffix("@example.com>") == true && fields["Date"] != nil)
    }
    let log = try http.stop().log
    #expect(
      log.matches(of: #/ submitted mail=\S+ submitter=keyless door=http recipients=1 bytes=\d+/#).count == 2)
    #expect(!log.contains("example.com"))
  }

  @Test func `the recipients of a finished mail are those of the query`() throws {
    let folder = try TemporaryDirectory()
    let sink = try SMTPSink(in: folder, delay: 0)
    let http = try HTTPTestSite(
      TestSite.configuration(
        transport: #""sink""#,
        more:
          #""sink": { "plugin": "smtp", "host": "127.0.0.1", "port": \#(sink.port), "security": "none" },"#
      )
      .replacing(#""from""#, with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }, "from""#))
    #expect(try run("finished", http)["state"] as? String == "sent")
    #expect(try sink.taken().keys.sorted() == ["kim+tag@example.com"])
  }

  @Test func `attachments and replyTo arrive as a mail program needs them`() throws {
    let http = try HTTPTestSite()
    let result = try run("attachments", http)
    #expect(result["status"] as? Int == 202, "\(result)")
    let mail = try parse("\(http.site.directory.path)/mail/\(try #require(http.site.mails.first))")
    #expect(mail["names"] as? [String] == ["영수증 2026.pdf", "data.csv"])
    #expect(mail["digests"] as? [String] == result["digests"] as? [String])
    #expect(mail["types"] as? [String] == ["application/pdf", #"text/csv; charset="utf-8""#])
    #expect(mail["defects"] as? [String] == [] && (mail["text"] as? String)?.contains("424242") == true)
    let fields = try #require(mail["fields"] as? [String: String])
    #expect(fields["Reply-To"] == "고객지원 <support@example.com>")
    #expect(fields["To"] == "kim@example.com, lee@example.com")
  }

  @Test
  func `the largest mails are taken, larger ones and too many at once are not, and memory stays bounded`()
    throws
  {
    let http = try HTTPTestSite(timeout: 300)
    let result = try run("large", http)
    #expect(
      result["largest"] as? Int == 202 && result["over"] as? Int == 413 && result["attached"] as? Int == 202)
    let over = try #require(result["attached over"] as? [Any])
    #expect(
      over[0] as? Int == 413 && over[1] as? String == "The mail is longer than 36700160 bytes", "\(over)")
    #expect((over[2] as? String)?.contains("nothing was stored") == true)
    let answers = try #require(result["at once"] as? [String])
    #expect(
      answers.filter { $0 == "HTTP/1.1 503 Service Unavailable" }.count == 3 && answers.last == "waits",
      "\(answers)")
    #expect(
      result["others"] as? Int == 200 && result["small"] as? Int == 202 && result["afterwards"] as? Int == 202
    )
    #expect(try #require(result["peak of one"] as? Double) < 500, "\(result)")
  }

  @Test func `a large body of a caller without a key isn't waited for`() throws {
    let key = try ChildProcess.run("\(BuiltProducts.directory)/pabal", ["keys", "client", "shop"])
    let digest = try #require(key.errors.firstMatch(of: /sha256:[0-9a-f]+/)?.0)
    let http = try HTTPTestSite(serve: #""clients": { "shop": "\#(digest)" }"#)
    let answers = try #require(try run("stranger", http)["answers"] as? [[String]])
    #expect(
      answers.allSatisfy { $0.last == "HTTP/1.1 401 Unauthorized" || $0 == ["HTTP/1.1 100 Continue"] },
      "\(answers)")
  }
}
