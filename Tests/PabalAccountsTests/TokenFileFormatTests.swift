import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

/// The formats of token and state files, which must not change because earlier versions wrote them.
@Suite struct TokenFileFormatTests {
  private static let token = """
    {
      "token": "ya29.access",
      "refresh_token": "1//refresh",
      "token_uri": "https://oauth2.googleapis.com/token",
      "client_id": "client.apps.googleusercontent.com",
      "client_secret": "secret",
      "scopes": ["https://mail.google.com/", "email"],
      "account": "kim@example.com",
      "expiry": "2026-11-23T04:05:06Z",
      "refresh_token_expiry": "2026-11-30T04:05:06Z",
      "refresh_token_lifetime": 604800,
      "token_lifetime": 3599,
      "universe_domain": "googleapis.com"
    }

    """

  private func document(_ text: String) throws -> SecretDocument {
    SecretDocument(path: "token.json", root: try JSONParser.read(Array(text.utf8), file: "token.json"))
  }

  @Test func `a token file is read and written unchanged`() throws {
    let stored = try StoredToken(document(Self.token))
    #expect(stored.text == Self.token)
    #expect(stored.accessToken == "ya29.access")
    #expect(stored.refreshToken == "1//refresh")
    #expect(stored.clientID == "client.apps.googleusercontent.com")
    #expect(stored.clientSecret == "secret")
    #expect(stored.tokenEndpoint == "https://oauth2.googleapis.com/token")
    #expect(stored.scopes == ["https://mail.google.com/", "email"])
    #expect(stored.user == "kim@example.com")
    #expect(stored.expiry?.description == "2026-11-23T04:05:06Z")
    #expect(stored.refreshTokenExpiry?.description == "2026-11-30T04:05:06Z")
    #expect(stored.refreshTokenLifetime == .seconds(604_800))
    #expect(stored.lifetime == .seconds(3599))
    #expect(!stored.isGcloud)
  }

  @Test func `a state file is read and written unchanged`() throws {
    let at = Timestamp(milliseconds: 1_795_000_000_123)
    let about = fingerprint(ofSecret: "1//refresh")
    #expect(about == "d1125fb9574052e5")
    let kinds: [(TokenError.Kind, String)] = [(.dead, "dead"), (.setUp, "set-up"), (.transient, "passing")]
    for (kind, name) in kinds {
      let failure = TokenError(
        kind, "what is wrong", remedy: "what to do", step: .publish, retryAfter: .seconds(60))
      let wait = kind == .transient ? ",\n  \"retry_after\": 60" : ""
      let text = """
        {
          "about": "d1125fb9574052e5",
          "kind": "\(name)",
          "what": "what is wrong",
          "cure": "what to do",
          "guide": "Google.md#3-publishing-status",
          "at": 1795000000123\(wait)
        }

        """
      #expect(RecordedError(failure, about: about, at: at).text == text)
      let read = try #require(RecordedError(document(text).root))
      #expect(read.fingerprint == about)
      #expect(read.at == at)
      #expect(read.failure.kind == kind)
      #expect(read.failure.message == "what is wrong")
      #expect(read.failure.remedy == "what to do")
      #expect(read.failure.step == .publish)
      #expect(read.failure.retryAfter == (kind == .transient ? .seconds(60) : nil))
    }
  }

  @Test func `the names of guide steps and states don't change`() {
    #expect(
      GuideStep.allCases.map(\.rawValue) == [
        "Google.md#1-project", "Google.md#2-consent-screen", "Google.md#3-publishing-status",
        "Google.md#4-gmail-api", "Google.md#5-desktop-client", "Google.md#6-login", "Workspace.md#2-key",
        "Workspace.md#3-delegation", "Workspace.md#4-check", "Microsoft365.md#1-registration",
        "Microsoft365.md#2-permission", "Microsoft365.md#4-login",
        "Microsoft365.md#6-an-app-without-a-user",
      ])
    #expect(
      [AccountStatus.State.fresh, .expiring, .dead].map(\.rawValue) == ["fresh", "expiring", "dead"])
  }
}
