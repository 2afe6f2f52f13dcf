internal import PabalCore

/// The page that the browser shows when it has come back.
struct LoginPage {
  /// What it says.
  enum Content: Sendable {
    case success(user: String, expiry: Timestamp?, isTesting: Bool)
    case refused
    case missingConsent([String])
    /// An answer to another login.
    case otherLogin
    /// Nothing of ours was asked for.
    case notFound
    /// In the server's or our English words, and in Korean where they are ours.
    case failed(String, korean: String?)
  }

  let content: Content
  /// `ko` or `en`.
  let language: String

  /// In the first of Korean and English that the browser asks for (`Accept-Language`).
  init(_ content: Content, languages: String) {
    self.content = content
    let wanted = languages.split(separator: ",").map { entry in
      let parts = entry.split(separator: ";")
      let weight = parts.dropFirst().first.flatMap { Double($0.drop { $0 == " " }.dropFirst(2)) } ?? 1
      return (tag: (parts.first ?? "").drop { $0 == " " }.lowercased(), weight: weight)
    }
    let known = wanted.filter { ($0.tag.hasPrefix("ko") || $0.tag.hasPrefix("en")) && $0.weight > 0 }
    language = known.max { $0.weight < $1.weight }?.tag.hasPrefix("ko") == true ? "ko" : "en"
  }

  var html: String {
    let (mark, colour) = isGood ? ("✓", "#0b7a3b") : ("!", "#b3261e")
    let paragraphs = text.map { "<p>\(Self.escaped($0))</p>" }.joined(separator: "\n")
    return """
      <!doctype html>
      <html lang="\(language)">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <title>Pabal: \(Self.escaped(title))</title>
      <style>
      body { font: 17px/1.6 system-ui, "Noto Sans CJK KR", "Noto Sans KR", sans-serif; max-width: 34rem;
        margin: 15vh auto; padding: 0 1.5rem; word-break: keep-all; overflow-wrap: anywhere }
      .mark { width: 3rem; height: 3rem; border-radius: 50%; background: \(colour); color: #fff;
        font: bold 1.6rem/3rem system-ui, sans-serif; text-align: center }
      h1 { font-size: 1.5rem; line-height: 1.3 }
      </style>
      </head>
      <body>
      <div class="mark" aria-hidden="true">\(mark)</div>
      <h1>\(Self.escaped(title))</h1>
      \(paragraphs)
      </body>
      </html>

      """
  }

  private var isGood: Bool {
    if case .success = content { return true }
    return false
  }

  private var isKorean: Bool { language == "ko" }

  private var title: String {
    switch content {
    case .success: isKorean ? "로그인되었습니다" : "You are logged in"
    case .refused: isKorean ? "접근을 허용하지 않았습니다" : "Access was refused"
    case .missingConsent: isKorean ? "필요한 권한에 체크하지 않았습니다" : "A box was not ticked"
    case .otherLogin: isKorean ? "이 로그인에 대한 응답이 아닙니다" : "This is no answer to this login"
    case .notFound: isKorean ? "여기에는 아무것도 없습니다" : "There is nothing here"
    case .failed: isKorean ? "로그인하지 못했습니다" : "The login failed"
    }
  }

  private var text: [String] {
    switch content {
    case .success(let user, let until, let isTesting):
      let close =
        isKorean ? "이 창은 닫아도 됩니다. 터미널로 돌아가세요." : "You can close this window and go back to the terminal."
      let first = isKorean ? "Pabal이 \(user) 계정으로 메일을 보낼 수 있습니다." : "Pabal can send mail as \(user)."
      guard let until else { return [first, close] }
      guard isTesting else {
        let content =
          isKorean
          ? "이 로그인은 \(until.displayText)에 끝납니다. 그 전에 다시 로그인하세요."
          : "This login ends at \(until.displayText), because it is limited in time. Log in again before."
        return [first, content, close]
      }
      let warning =
        isKorean
        ? "주의: 앱이 아직 ‘테스트’ 상태라서 이 로그인은 \(until.displayText)에 끝납니다. Google Cloud 콘솔에서 앱을 게시한 다음 다시 로그인하세요."
        : "Mind: the app is still in Testing, so this login ends at \(until.displayText). Publish the app in the Google Cloud "
          + "console, then log in again."
      return [first, warning, close]
    case .refused:
      return isKorean
        ? ["동의 화면에서 허용하지 않아 메일을 보낼 수 없습니다.", "터미널에서 로그인을 다시 시작하고 ‘계속’을 누르세요."]
        : [
          "Without consent no mail can be sent.",
          "Start the login again in the terminal and choose Continue.",
        ]
    case .missingConsent(let scopes):
      let list = scopes.joined(separator: ", ")
      return isKorean
        ? ["다음 권한이 필요합니다: \(list)", "터미널에서 로그인을 다시 시작하고 모든 상자에 체크하세요."]
        : ["This permission is needed: \(list)", "Start the login again in the terminal and tick every box."]
    case .otherLogin:
      return isKorean
        ? ["다른 로그인에서 온 주소이거나 누군가 꾸민 주소입니다. 아무것도 바뀌지 않았습니다.", "터미널에 표시된 주소를 여세요."]
        : [
          "The address is of another login, or somebody made it up. Nothing was changed.",
          "Open the address that the terminal shows.",
        ]
    case .notFound:
      return isKorean ? ["터미널에 표시된 주소를 여세요."] : ["Open the address that the terminal shows."]
    case .failed(let reason, let korean):
      return isKorean
        ? [korean ?? "까닭: \(reason)", "자세한 내용은 터미널에 있습니다."] : ["Why: \(reason).", "The terminal says more."]
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}

/// Why a login failed, for the browser's page in Korean.
struct KoreanErrorText {
  let text: String

  /// `nil` where only the server's own words say it.
  init?(_ failure: TokenError) {
    guard let text = failure.korean ?? Self.text(of: failure.serverError) ?? Self.text(of: failure.kind)
    else {
      return nil
    }
    self.text = text
  }

  private static func text(of serverError: OAuthError?) -> String? {
    guard let serverError else { return nil }
    let said: String? =
      switch serverError.error {
      case "invalid_grant": "서버가 로그인 코드를 받지 않았습니다. 이미 썼거나 너무 오래되었거나 다른 로그인의 코드입니다."
      case "invalid_client": "서버가 OAuth 클라이언트의 ID나 보안 비밀번호를 받지 않았습니다."
      case "deleted_client": "OAuth 클라이언트가 삭제되었습니다."
      case "disabled_client": "OAuth 클라이언트가 사용 중지되었습니다."
      case "unauthorized_client": "이 OAuth 클라이언트로는 이 방법으로 로그인할 수 없습니다."
      case "redirect_uri_mismatch": "이 OAuth 클라이언트는 이 컴퓨터로 돌아올 수 없습니다. 데스크톱 앱 클라이언트를 만드세요."
      case "org_internal": "앱의 대상이 ‘내부’라서 조직 밖의 계정으로는 로그인할 수 없습니다."
      case "admin_policy_enforced": "Workspace 관리자가 이 앱에 필요한 권한을 허용하지 않았습니다."
      case "disallowed_useragent": "이 브라우저에서는 로그인할 수 없습니다. 일반 브라우저에서 주소를 여세요."
      case "invalid_scope": "서버가 요청한 권한을 모릅니다."
      case "invalid_request": "서버가 로그인 주소를 잘못된 것으로 봅니다. 주소 전체를 복사했는지 확인하세요."
      default: nil
      }
    return said.map { "\($0) (\(serverError.summary))" }
  }

  // Without a refusal what passes is the network's, or a server's that is out of order.
  private static func text(of kind: TokenError.Kind) -> String? {
    kind == .transient ? "지금은 인증 서버에서 토큰을 받을 수 없습니다. 잠시 뒤에 다시 로그인하세요." : nil
  }
}
