import Foundation
import PabalCore
import PabalFormats
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// A step for Google's Python client; see `Tests/Servers/google_steps.py`.
private struct ClientStep: Encodable {
  let `do`: String
  var endpoint: String?
  var authority: String?
  var bytes: Data?

  init(_ name: String, _ port: RESTTestPort? = nil, bytes: [UInt8]? = nil) {
    `do` = name
    endpoint = port?.endpoint
    authority = port?.fake.authority.authority
    self.bytes = bytes.map { Data($0) }
  }
}

private struct ClientResult: Decodable {
  struct APIAnswer: Decodable {
    let id: String?
    let emailAddress: String?
  }
  let answer: APIAnswer?
  let strange: [String]?
  let status: Int?
  let reason: String?
  let retries: Bool?
  // From the discovery document.
  let root: String?
  let upload: String?
  let profile: String?
  let largest: String?
  let accept: [String]?
  let sendScopes: [String]?
  let profileScopes: [String]?
}

/// The fake Gmail works with Google's client, and the transport follows Google's discovery document.
@Suite struct GoogleClientTests {
  private func google(_ steps: [ClientStep]) throws -> [ClientResult] {
    let child = try ChildProcess.run(
      "\(BuiltProducts.root)/Tests/Servers/google",
      ["\(BuiltProducts.root)/Tests/Servers/google_steps.py"], input: Array(try JSONEncoder().encode(steps)))
    guard child.status == 0 else { throw TestError(child.errors) }
    return try JSONDecoder().decode([ClientResult].self, from: Data(child.output.utf8))
  }

  @Test func `the fake Gmail answers Google's client as the discovery document says`() throws {
    let port = try gmail()
    let mail = try MailDraft(
      from: try Mailbox("sender@example.com"), to: [try Mailbox("bob@example.net")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다."
    ).finish(identity: .now())
    let results = try google(
      ["json", "media", "multipart"].map { ClientStep($0, port, bytes: mail.bytes) } + [
        ClientStep("profile", port)
      ])
    #expect(results.compactMap(\.answer?.id).count == 3)
    #expect(results.last?.answer?.emailAddress == "sender@example.com")
    for result in results { #expect(result.strange == []) }
    let taken = try port.report().taken
    #expect(taken.count == 3)
    for taken in taken { #expect(taken.bytes.map { Array($0) } == mail.bytes) }
  }

  @Test func `the transport makes requests as the discovery document says`() throws {
    let document = try #require(try google([ClientStep("document")]).first)
    let api = RESTServer(try HTTPEndpoint("https://gmail.googleapis.com", query: .refused))
    #expect(document.root == api.endpoint.origin)
    let upload = try #require(document.upload).replacing("{userId}", with: "me")
    var head: [UInt8] = []
    GmailAPI.appendSendHead(api, token: "t", count: 7, to: &head)
    let send = String(decoding: head, as: UTF8.self)
    #expect(send.hasPrefix("POST \(upload)?uploadType=media HTTP/1.1\r\nHost: gmail.googleapis.com\r\n"))
    #expect(document.accept == ["message/*"])
    #expect(document.largest == "\(GmailAPI.limits.maxSize)")
    let profile = try #require(document.profile).replacing("{userId}", with: "me")
    head = []
    GmailAPI.appendProfileHead(api, token: "t", to: &head)
    #expect(String(decoding: head, as: UTF8.self).hasPrefix("GET /\(profile) HTTP/1.1\r\n"))
    let scope = "https://www.googleapis.com/auth/gmail.send"
    #expect(document.sendScopes?.contains(scope) == true)
    #expect(document.profileScopes?.contains(scope) == false)
  }

  @Test func `the transport understands the same errors as Google's client`() throws {
    // The errors after which the client would retry.
    let rows: [(row: ErrorResponseCase, retries: Bool)] = ErrorResponseTests.rows.filter {
      ($0.act.status ?? 0) >= 400 && $0.act.body?.contains("\"errors\"") == true
    }.map { row in
      let isRate = row.act.status == 403 && row.act.body?.contains("ateLimitExceeded") == true
      return (row, row.act.status == 429 || isRate || (row.act.status ?? 0) >= 500)
    }
    #expect(rows.count > 15)
    let steps = try rows.map {
      ClientStep("media", try gmail($0.row.act), bytes: RESTTestMail.small.bytes)
    }
    for ((row, retries), result) in zip(rows, try google(steps)) {
      #expect(result.status == row.act.status)
      #expect(result.retries == retries, "\(row)")
      let sendResult = RESTTestMail.small.sendResult(try gmail(row.act).client(now: 1_000))
      #expect(sendResult?.message.contains(try #require(result.reason)) == true, "\(row)")
      if sendResult?.verdict == .rejected { #expect(!retries) }
    }
  }

  @Test func `Google's client understands the fake Gmail's refusals`() throws {
    let port = try gmail(GmailServerScript(tokens: [RESTTestTokens.first: ["gmail.send"]]))
    let results = try google([
      ClientStep("media", try gmail(), bytes: Array("Subject: x\r\n\r\nx\r\n".utf8)),
      ClientStep("media", try gmail(), bytes: Array("To: no-address\r\n\r\nx\r\n".utf8)),
      ClientStep("json", try gmail(), bytes: []), ClientStep("profile", port),
    ])
    #expect(results.map(\.status) == [400, 400, 400, 401])
    #expect(results[0].reason == "Recipient address required")
    #expect(results[1].reason == "Invalid To header")
  }
}
