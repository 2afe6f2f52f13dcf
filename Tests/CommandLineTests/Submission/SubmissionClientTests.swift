import Foundation
import PabalTesting
import Testing

/// Real SMTP clients that submit mail to `pabal serve`; see `Tests/Servers/submission_clients.py`.
@Suite struct SubmissionClientTests {
  private static let encodesItsMail: Set = ["Django", "git send-email", "Postfix without extensions"]
  private static let needsRoot: Set = ["Postfix", "Postfix without CHUNKING", "Postfix without extensions"]
  private static let clients =
    [
      "smtplib", "smtplib over TLS", "aiosmtplib", "Django", "curl", "swaks with PLAIN", "swaks with LOGIN",
      "swaks with pipelining", "msmtp", "a printer", "git send-email",
    ] + (RealMailServer.isAvailable ? needsRoot.sorted() : [])

  @Test(arguments: clients)
  func `a client's mail arrives with its envelope and its body, byte for byte`(client: String) throws {
    let directory = try TemporaryDirectory()
    let authority = try TestAuthority.shared.get()
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/submission_clients.py", "\(BuiltProducts.directory)/pabal",
        directory.path, authority.good, authority.key, authority.authority, client,
      ])
    try #require(run.status == 0, "\(run.errors)")
    let result = try run.json
    #expect(result["mails"] as? Int == 1)
    #expect(result["sender"] as? String == "kim@example.com")
    #expect((result["recipients"] as? [String])?.sorted() == ["lee@example.net", "park@example.org"])
    let fields = try #require(result["fields"] as? [String])
    #expect(fields.first == "Received")
    for name in ["From", "Date", "Message-ID", "Subject"] {
      #expect(fields.count { $0.lowercased() == name.lowercased() } == 1, "\(fields)")
    }
    #expect(!fields.contains("Bcc"))
    #expect(result["body"] as? Bool == true || Self.encodesItsMail.contains(client), "\(result)")
    let content = try #require(result["content"] as? String)
    // A Received field names the submitter's network address, not the login.
    #expect(!content.contains("printer"))
  }

  @Test func `the list of clients is that of the script`() throws {
    let script = "\(BuiltProducts.root)/Tests/Servers/submission_clients.py"
    let run = try ChildProcess.run("python3", [script, "-", "-", "-", "-", "-", "--list"])
    let listed = try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [String])
    #expect(Set(listed) == Set(Self.clients).union(Self.needsRoot))
  }
}
