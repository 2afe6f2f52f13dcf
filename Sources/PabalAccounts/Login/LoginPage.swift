internal import PabalCore

/// The page that the browser shows after it has returned.
struct LoginPage {
  /// What the page reports.
  enum Content: Sendable {
    case success(user: String, expiry: Timestamp?, isTesting: Bool)
    case refused
    case missingConsent([String])
    /// The request belongs to another login.
    case otherLogin
    /// The path is unknown.
    case notFound
    /// The login failed; the reason in English, and in Korean if there is a translation.
    case failed(String, korean: String?)
  }

  let content: Content
  /// `ko` or `en`.
  let language: String

  /// Chooses Korean or English by the browser's preferences (`Accept-Language`).
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
    case .refused: isKorean ? "접근을 허용하지 않았습니다" : "Access denied"
    case .missingConsent: isKorean ? "필요한 권한을 선택하지 않았습니다" : "A permission wasn't selected"
    case .otherLogin: isKorean ? "다른 로그인의 응답입니다" : "This page belongs to another login"
    case .notFound: isKorean ? "페이지를 찾을 수 없습니다" : "Page not found"
    case .failed: isKorean ? "로그인하지 못했습니다" : "The login failed"
    }
  }

  private var text: [String] {
    switch content {
    case .success(let user, let until, let isTesting):
      let close =
        isKorean ? "이 창을 닫고 터미널로 돌아가세요." : "You can close this window and return to the terminal."
      let first = isKorean ? "Pabal이 \(user) 계정으로 메일을 보낼 수 있습니다." : "Pabal can send mail as \(user)."
      guard let until else { return [first, close] }
      guard isTesting else {
        let content =
          isKorean
          ? "이 로그인은 \(until.displayText)에 만료됩니다. 그 전에 다시 로그인하세요."
          : "This login expires at \(until.displayText), because access was granted for a limited time. Log in again before then."
        return [first, content, close]
      }
      let warning =
        isKorean
        ? "주의: 앱이 아직 ‘테스트’ 상태이므로 이 로그인은 \(until.displayText)에 만료됩니다. Google Cloud 콘솔에서 앱을 게시한 다음 다시 로그인하세요."
        : "Important: the app is still in Testing, so this login expires at \(until.displayText). Publish the app in the Google Cloud "
          + "console, then log in again."
      return [first, warning, close]
    case .refused:
      return isKorean
        ? ["동의 화면에서 허용하지 않아 메일을 보낼 수 없습니다.", "터미널에서 로그인을 다시 시작하고 ‘계속’을 누르세요."]
        : [
          "Pabal can't send mail without your consent.",
          "Start the login again in the terminal and choose Continue.",
        ]
    case .missingConsent(let scopes):
      let list = scopes.joined(separator: ", ")
      return isKorean
        ? ["다음 권한이 필요합니다: \(list)", "터미널에서 로그인을 다시 시작하고 모든 체크박스를 선택하세요."]
        : [
          "Required permission: \(list)", "Start the login again in the terminal and select every checkbox.",
        ]
    case .otherLogin:
      return isKorean
        ? ["이 주소는 다른 로그인의 주소이거나 위조된 주소입니다. 변경된 것은 없습니다.", "터미널에 표시된 주소를 여세요."]
        : [
          "The address belongs to another login or was forged. Nothing was changed.",
          "Open the address shown in the terminal.",
        ]
    case .notFound:
      return isKorean ? ["터미널에 표시된 주소를 여세요."] : ["Open the address shown in the terminal."]
    case .failed(let reason, let korean):
      return isKorean
        ? [korean ?? "이유: \(reason)", "자세한 내용은 터미널을 확인하세요."]
        : ["Reason: \(reason).", "See the terminal for details."]
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}

/// The Korean text of an error, for the login page.
struct KoreanErrorText {
  let text: String

  /// Returns `nil` if only the server's own text describes the error.
  init?(_ failure: TokenError) {
    guard let text = failure.korean ?? Self.text(of: failure.serverError) ?? Self.text(of: failure.kind)
    else {
      return nil
    }
    self.text = text
  }

  private static func text(of serverError: OAuthError?) -> String? {
    guard let serverError else { return nil }
    let text: String? =
      switch serverError.error {
      case "invalid_grant": "서버가 로그인 코드를 거부했습니다. 이미 사용되었거나 만료되었거나 다른 로그인의 코드입니다."
      case "invalid_client": "서버가 OAuth 클라이언트 ID 또는 보안 비밀번호를 거부했습니다."
      case "deleted_client": "OAuth 클라이언트가 삭제되었습니다."
      case "disabled_client": "OAuth 클라이언트가 사용 중지되었습니다."
      case "unauthorized_client": "이 OAuth 클라이언트에는 이 로그인 방식이 허용되지 않습니다."
      case "redirect_uri_mismatch": "이 OAuth 클라이언트는 이 컴퓨터로 리디렉션할 수 없습니다. 데스크톱 앱 클라이언트를 만드세요."
      case "org_internal": "앱의 대상이 ‘내부’이므로 조직 외부 계정으로는 로그인할 수 없습니다."
      case "admin_policy_enforced": "Workspace 관리자가 이 앱에 필요한 권한을 허용하지 않았습니다."
      case "disallowed_useragent": "이 브라우저에서는 로그인할 수 없습니다. 일반 브라우저에서 주소를 여세요."
      case "invalid_scope": "서버가 요청한 권한을 인식하지 못합니다."
      case "invalid_request": "로그인 주소가 올바르지 않습니다. 주소 전체를 복사했는지 확인하세요."
      default: nil
      }
    return text.map { "\($0) (\(serverError.summary))" }
  }

  // Without an error from the server, a transient failure comes from the network or an unavailable server.
  private static func text(of kind: TokenError.Kind) -> String? {
    kind == .transient ? "지금은 인증 서버에서 토큰을 받을 수 없습니다. 잠시 후 다시 로그인하세요." : nil
  }
}
