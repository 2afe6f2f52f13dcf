import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// The responses and texts of IMAP.
@Suite struct IMAPTests {
  private func parse(_ text: String, pieces: Int, limit: Int = 1_000) throws(IMAPParserError)
    -> [IMAPResponse]
  {
    var parser = IMAPResponseParser(literalLimit: limit)
    var responses: [IMAPResponse] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { parser.append($0) }
      while let response = try parser.next() { responses.append(response) }
    }
    return responses
  }

  @Test(arguments: [1, 2, 3, 7, 1_000])
  func `responses are complete however their bytes arrive`(pieces: Int) throws {
    let text =
      "* 1 FETCH (UID 5 BODY[] {7}\r\nA\r\n}{\r\n BODY[HEADER] {0}\r\n)\r\nA1 OK {done\r\n* SEARCH 1 2\n"
    #expect(
      try parse(text, pieces: pieces) == [
        IMAPResponse(
          line: "* 1 FETCH (UID 5 BODY[] {7} BODY[HEADER] {0})", literals: [Array("A\r\n}{\r\n".utf8), []]),
        IMAPResponse(line: "A1 OK {done"), IMAPResponse(line: "* SEARCH 1 2"),
      ])
  }

  @Test(arguments: ["* 1 FETCH {1001}\r\n", "* 1 FETCH {600}\r\n", "* 1 FETCH {9999999999999999999999}\r\n"])
  func `a literal that is longer than what was asked for is refused before it arrives`(text: String) throws {
    let literal = String(repeating: "x", count: 600)
    let isHuge = text.contains("9999")
    if isHuge {
      // Not a number, and so not a literal.
      #expect(try parse(text, pieces: 10).count == 1)
    } else {
      #expect(throws: IMAPParserError.self) { try parse("\(text)\(literal)\(text)\(literal)", pieces: 10) }
    }
  }

  @Test func `a line without an end is refused`() {
    #expect(throws: IMAPParserError.self) {
      try parse("* " + String(repeating: "x", count: 1 << 21), pieces: 1 << 16)
    }
  }

  @Test(arguments: [
    ("INBOX", "INBOX"), ("받은", "&vBvHQA-"), ("A&B", "A&-B"),
    ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("😀", "&2D3eAA-"),
  ])
  func `folders are written in modified UTF-7`(name: String, encoded: String) {
    #expect(IMAPText.folder(name) == encoded)
  }

  @Test func `quoted strings escape what ends them, and have no control characters`() {
    #expect(IMAPText.quoted(#"a"b\c"#) == #""a\"b\\c""#)
    #expect(IMAPText.quoted("a\r\nA2 DELETE") == nil)
    #expect(IMAPText.quoted("é") == nil)
  }
}

/// A mailbox at a server that answers as few servers do.
@Suite struct OddIMAPServerTests {
  private final class Server {
    private let process: SpawnedProcess
    private let input = Pipe()
    let port: Int

    init(_ mode: String) throws {
      let authority = try TestAuthority.shared.get()
      let output = Pipe()
      process = try SpawnedProcess(
        "python3", ["\(BuiltProducts.root)/Tests/Servers/imap.py", authority.good, authority.key, mode],
        environment: .current(with: [:]), input: .pipe(input), output: .pipe(output),
        errors: .file(.standardError))
      var text = ""
      while !text.contains("\n") {
        let more = output.fileHandleForReading.availableData
        if more.isEmpty { throw TestError("imap.py did not start") }
        text += String(decoding: more, as: UTF8.self)
      }
      port = try #require(Int(text.split(separator: "\n")[0]))
    }
  }

  /// Gives out one token after another.
  private final class Tokens: AccessTokenSource {
    let user = "kim@example.com"
    private let count = Mutex(0)

    func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
      count.withLock { count in
        if rejected != nil { count += 1 }
        return AccessToken(text: "token-number-\(count)-of-kim")
      }
    }
  }

  private func mailbox(_ mode: String) throws -> (Server, IMAPMailbox) {
    let server = try Server(mode)
    let authority = try TestAuthority.shared.get()
    let text = """
      { "transport": "a", "transports": { "a": { "plugin": "a" } }, "from": "a@example.com",
        "mailboxes": { "m": { "host": "localhost", "port": \(server.port), "user": "u", "password": "p",
          "ca_file": "\(authority.authority)" } } }
      """
    let configuration = try Configuration.read(Array(text.utf8), file: "config.json", directory: "/")
    return (
      server, try IMAPMailbox(configuration.mailboxes[0], .tokens(Tokens()), literalLimit: 1_000)
    )
  }

  @Test func `a token is renewed once, and answers are read in any order and in any pieces`() throws {
    let (server, mailbox) = try mailbox("odd")
    defer { withExtendedLifetime(server) {} }
    #expect(
      try mailbox.examine("INBOX") == IMAPMailbox.Folder(uidValidity: 77, nextUID: 12, count: 3))
    #expect(try mailbox.uids(after: 4) == [9, 11])
    #expect(try mailbox.filter([4, 9, 11]) { $0.contains("multipart/report") } == [9])
    let mail = try #require(try mailbox.mail(9, limit: 100))
    #expect(String(decoding: mail, as: UTF8.self) == "Subject: Hello\r\n\r\nA1 OK not the end\r\n)\r\n")
  }

  @Test func `a mail that the server refuses holds up no others, but all of them are an error`() throws {
    let (server, mailbox) = try mailbox("refusing")
    defer { withExtendedLifetime(server) {} }
    let (sizes, refusal) = try mailbox.mails([9, 11, 10, 12], limit: 100) { $0.count as Int? }
    #expect(sizes.count == 2)
    #expect(refusal?.description.contains("can't convert 9") == true)
    let error = #expect(throws: MailboxError.self) { _ = try mailbox.mails([9, 10], limit: 100) { $0 } }
    #expect(error?.description.contains("can't convert 9") == true, "\(String(describing: error))")
    #expect(try mailbox.mails([], limit: 100) { $0 }.values.isEmpty)
  }

  @Test(arguments: [
    ("http", "doesn't speak IMAP"), ("silent", "closed the connection"), ("bye", "ended the connection"),
    ("unnumbered", "UIDVALIDITY"), ("endless", "answers without an end"),
    ("big", "sent more than was asked for"),
  ])
  func `a server that breaks the rules is an error with what it did`(mode: String, text: String) throws {
    let error = #expect(throws: MailboxError.self) {
      let (server, mailbox) = try mailbox(mode)
      defer { withExtendedLifetime(server) {} }
      _ = try mailbox.examine("INBOX")
      _ = try mailbox.uids(after: 0)
      _ = try mailbox.mail(9, limit: 100)
    }
    #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    #expect(error?.description.contains("token-number") == false)
  }
}
