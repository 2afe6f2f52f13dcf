import PabalCore
import PabalMessages
import PabalTesting
import Testing

@Suite struct StoredVerificationComposerTests {
  private static func composer(_ directory: String = "\(BuiltProducts.root)/Sources/Messages") throws
    -> StoredVerificationComposer
  {
    StoredVerificationComposer(
      MessageStore(directory: directory, language: "en", variables: ["service": "Pabal"]),
      from: try Mailbox("Pabal <pabal@example.com>"))
  }

  /// A service that keeps its mail in memory.
  private func service() throws -> (VerificationService, MemoryOutbox, Keyring) {
    let outbox = MemoryOutbox()
    let keys = Keyring(current: .random())
    return (
      VerificationService(
        store: MemoryVerificationStore(outbox: outbox), keys: keys, composer: try Self.composer()),
      outbox, keys
    )
  }

  @Test func `starting a verification queues a mail in the requested language`() async throws {
    let (service, outbox, keys) = try service()
    let started = try await service.start(to: "kim@example.com", languages: ["ko-KR"])
    #expect(started.language == "ko")
    let entry = try #require(try await outbox.read(OutboxQuery(withContent: true)).entries.first)
    let content = try OutboxContent(keys.open(try #require(entry.content), id: entry.id), id: entry.id)
    #expect(entry.group == started.id && entry.notAfter == started.expires && entry.lane == .code)
    #expect(content.mail.envelope.recipients.map(\.description) == ["kim@example.com"])
    #expect(String(decoding: content.mail.bytes, as: UTF8.self).contains("Content-Language: ko\r\n"))
  }

  @Test func `a mail contains the code and its validity`() throws {
    let request = VerificationMailRequest(
      to: try Address("kim@example.com"), message: "verification", languages: ["en"], code: "012345",
      validFor: .seconds(300))
    let composed = try Self.composer().mail(for: request)
    let bytes = String(decoding: composed.mail.bytes, as: UTF8.self)
    #expect(bytes.contains("012345") && bytes.contains("5 minutes") && !bytes.contains("10 minutes"))
    #expect(bytes.contains("Auto-Submitted: auto-generated") && composed.unknown == .resend)
  }

  @Test func `a caller can't set how long a code is valid`() async throws {
    let (service, _, _) = try service()
    let problem = await #expect(throws: VerificationError.self) {
      try await service.start(to: "kim@example.com", variables: ["valid_for": "3 days"])
    }
    guard case .input("variables.valid_for", let message)? = problem else {
      Issue.record("a promised time is the caller's fault")
      return
    }
    #expect(message.contains("how long the code is valid"))
  }

  @Test func `a notice with a message that has a code is rejected`() async throws {
    let (service, _, _) = try service()
    let problem = await #expect(throws: VerificationError.self) {
      try await service.start(to: "kim@example.com", message: "verification", notice: true)
    }
    guard case .input("message", let message)? = problem else {
      Issue.record("a notice was sent with a message that has a code")
      return
    }
    #expect(message.contains("without a code"))
  }

  @Test func `errors of the caller are distinguished from a broken message`() async throws {
    let (service, _, _) = try service()
    func problem(_ message: String, _ variables: [String: String] = [:]) async -> VerificationError? {
      await #expect(throws: VerificationError.self) {
        try await service.start(to: "kim@example.com", message: message, variables: variables)
      }
    }
    guard case .input("message", _)? = await problem("verifikation") else {
      Issue.record("an unknown message is the caller's")
      return
    }
    guard case .input("message", let noCode)? = await problem("registered"), noCode.contains("\"notice\"")
    else {
      Issue.record("a message without a code, named by the caller, is the caller's mistake")
      return
    }
    guard case .input("variables.nmae", _)? = await problem("verification", ["nmae": "x"]) else {
      Issue.record("an unknown variable is the caller's")
      return
    }
    let folder = try TemporaryDirectory()
    try folder.write("{{unclosed", to: "verification/en.md")
    #expect(throws: VerificationError.self) {
      try Self.composer(folder.path).mail(
        for: VerificationMailRequest(
          to: try Address("kim@example.com"), message: "verification",
          code: "012345", validFor: .seconds(600)))
    }
  }
}
