/// Why a login failed, for the browser's page in Korean.
struct KoreanErrorText {
  let text: String

  /// `nil` where only the server's own words say it.
  init?(_ failure: TokenError) {
    guard let text = failure.korean ?? Self.text(of: failure.serverError) ?? Self.text(of: failure.kind) else {
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
