import Testing

@testable import PabalAccounts

/// How a mail is taken from an answer of Gmail.
@Suite struct GmailMailboxTests {
  private func decoded(_ text: String) -> String {
    String(decoding: GmailMailbox.decodedRaw(Array(text.utf8)), as: UTF8.self)
  }

  @Test func `the mail is decoded with and without padding, and as far as it arrived`() {
    #expect(decoded(#"{"raw":"SGVsbG8_IQ=="}"#) == "Hello?!")
    #expect(decoded("{\n  \"raw\": \"SGVsbG8_IQ\"\n}\n") == "Hello?!")
    #expect(decoded(#"{"raw":"SGVsbG8_I"#) == "Hello?")
    #expect(decoded(#"{"raw":"SGVs"#) == "Hel")
    for broken in ["", "{}", #"{"raw":"#, #"{"raw":""}"#, #"{"raw":"*"}"#] { #expect(decoded(broken) == "") }
  }
}
