internal import PabalCore
internal import PabalFormats

/// What a logout did.
public enum LogoutResult: Sendable, Hashable {
  /// The server withdrew the login.
  case revoked
  /// The server said that it had ended before.
  case alreadyExpired
  /// The server has no way to withdraw it; only the file is gone.
  case forgotten
}

extension OAuthAccount {
  /// Whether a logout ends other programs' logins too: Google withdraws the whole project's grant.
  public var logoutEndsOthers: Bool { issuer == .google }

  /// Withdraws the login at the server, unless `onlyHere`, and removes the token file; blocks.
  ///
  /// Where the server can't be asked, nothing is removed.
  ///
  /// `notify` is called where another process has to be waited for.
  public func logOut(
    onlyHere: Bool = false, notify: (LoginEvent) -> Void = { _ in }
  ) throws(AccountError) -> LogoutResult {
    do throws(TokenError) {
      let stored: StoredToken?
      do throws(SecretFileError) { stored = try file.read() } catch { throw TokenError(error) }
      guard let stored else { throw TokenError(.setUp, "nobody is logged in: there is no \(file.path)") }
      guard !stored.isGcloud else {
        throw TokenError(
          .setUp, "\(file.path) is gcloud's own", remedy: "gcloud auth application-default revoke")
      }
      let result = onlyHere ? LogoutResult.forgotten : try revoke(stored)
      let consequence =
        result == .revoked ? "the login is withdrawn but its tokens are still there" : "nothing was removed"
      try withTokenFileLock(consequence, notify) { () throws(FileWriteError) in try file.remove() }
      forget()
      return result
    } catch {
      throw error.accountError
    }
  }

  private func revoke(_ stored: StoredToken) throws(TokenError) -> LogoutResult {
    guard let token = stored.refreshToken ?? stored.accessToken else { return .forgotten }
    // What gave the token withdraws it; the client file may be gone.
    let client = try? login?.client()
    let standard = issuer == .google ? GoogleProvider.tokenEndpoint : nil
    let beside = (stored.tokenEndpoint ?? standard).flatMap { try? HTTPEndpoint($0) }?.sibling("revoke")
    guard let endpoint = client?.revocationEndpoint ?? (issuer == .google ? beside : nil) else {
      return .forgotten
    }
    var fields = [("token", token)]
    // RFC 7009 wants the client to say who it is; Google wants the token alone.
    if issuer == .other, let client {
      fields.append(("client_id", client.id))
      if let secret = client.secret { fields.append(("client_secret", secret)) }
    }
    let request = TokenRequest(
      form: URLEncodedForm(fields), endpoint: endpoint,
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .refresh, account: name, now: dependencies.now()),
      dependencies: dependencies, expectsJSON: false)
    do throws(TokenError) {
      _ = try request.perform()
      return .revoked
    } catch {
      guard error.serverError?.error == "invalid_token" || error.serverError?.error == "invalid_grant" else {
        throw TokenError(
          error.kind, "the login was not withdrawn, so its file stays: \(error.message)",
          remedy: "try again, or remove the file alone with --only-here")
      }
      return .alreadyExpired
    }
  }
}
