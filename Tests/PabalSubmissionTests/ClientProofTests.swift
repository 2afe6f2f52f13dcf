import PabalTesting
import Testing

@testable import PabalCore
@testable import PabalSubmission

/// What a client proved when it connected, judged by the settings that are in use later.
@Suite struct ClientProofTests {
  private func settings(_ more: String) throws -> ListenerSettings {
    ListenerSettings(
      try ServerFixture.configuration(#"{ "socket": "/tmp/s", \#(more) }"#), certificate: nil, hostName: "h"
    ) { _ in .refused(SMTPReply(451, "4.3.0", "unused")) }
  }

  private func hash(_ byte: UInt8) -> PasswordHash {
    PasswordHash(logCost: 4, salt: Array(0..<16), hash: Array(repeating: byte, count: 32))
  }

  private func users(_ users: [String: PasswordHash]) throws -> ListenerSettings {
    try settings(
      #""users": {"#
        + users.map { #""\#($0)": { "password": "\#($1.text)" }"# }.joined(separator: ", ") + "}")
  }

  @Test func `a login counts while the user and the password remain`() throws {
    let proof = ClientProof(password: hash(1))
    #expect(proof.admits(.user("ann"), try users(["ann": hash(1), "bob": hash(2)])))
    #expect(!proof.admits(.user("ann"), try users(["bob": hash(1)])))
    #expect(!proof.admits(.user("ann"), try users(["ann": hash(2)])))
  }

  @Test func `an address counts while its network is listed`() throws {
    let listed = try settings(#""networks": ["192.0.2.0/24"]"#)
    #expect(ClientProof().admits(.network("192.0.2.7"), listed))
    #expect(!ClientProof().admits(.network("198.51.100.1"), listed))
  }

  @Test func `no certificate counts without TLS`() throws {
    #expect(!ClientProof().admits(.certificate("scanner"), try settings(#""networks": ["192.0.2.0/24"]"#)))
  }

  @Test func `a user of this machine needs no entry`() throws {
    #expect(ClientProof().admits(.local("root"), try settings(#""networks": ["192.0.2.0/24"]"#)))
  }
}
