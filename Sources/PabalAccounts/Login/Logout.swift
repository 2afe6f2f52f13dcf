internal import PabalCore
internal import PabalFormats

/// The result of a logout.
public enum LogoutResult: Sendable, Hashable {
  /// The server revoked the login.
  case revoked
  /// The login had already expired or been revoked.
  case alreadyExpired
  /// Only the token file was removed; nothing was revoked at the server.
  case forgotten
}

extension OAuthAccount {
  /// Whether a logout also ends the logins of other programs, because Google revokes the grant to the whole project.
  public var logoutEndsOthers: Bool { issuer == .google }

  /// Revokes the login at the server, unless `onlyHere`, and removes the token file; blocks.
  ///
  /// The content is removed wherever symbolic or hard links lead. Copies are not found: those of a revoked login are
  /// useless. Removes nothing if the server can't be reached. Calls `notify` while it waits for another process.
  public func logOut(
    onlyHere: Bool = false, notify: (LoginEvent) -> Void = { _ in }
  ) throws(AccountError) -> LogoutResult {
    do throws(TokenError) {
      let stored: StoredToken?
      do throws(SecretFileError) { stored = try file.read() } catch { throw TokenError(error) }
      guard let stored else { throw TokenError(.setUp, "not logged in: \(file.path) doesn't exist") }
      guard !stored.isGcloud else {
        throw TokenError(
          .setUp, "\(file.path) belongs to gcloud", remedy: "run gcloud auth application-default revoke")
      }
      return try TerminationDelay.protect { () throws(TokenError) in
        let result = onlyHere ? LogoutResult.forgotten : try revoke(stored)
        let consequence =
          result == .revoked ? "the login was revoked, but its tokens weren't removed" : "nothing was removed"
        try withTokenFileLock(consequence, notify) { _ throws(FileWriteError) in try file.remove() }
        forget()
        return result
      }
    } catch {
      throw error.accountError
    }
  }

  private func revoke(_ stored: StoredToken) throws(TokenError) -> LogoutResult {
    guard let token = stored.refreshToken ?? stored.accessToken else { return .forgotten }
    // The server that issued the token revokes it; the client file may have been removed.
    let client = try? login?.client()
    let standard = issuer == .google ? GoogleProvider.tokenEndpoint : nil
    let beside = (stored.tokenEndpoint ?? standard).flatMap { try? HTTPEndpoint($0) }?.sibling("revoke")
    guard let endpoint = client?.revocationEndpoint ?? (issuer == .google ? beside : nil) else {
      return .forgotten
    }
    let request = TokenRequest(
      form: URLEncodedForm([("token", token)]), endpoint: endpoint,
      // RFC 7009 requires the client to identify itself; Google accepts only the token.
      client: issuer == .other
        ? client.map {
          FormClient(
            id: $0.id, secret: $0.secret, authentication: login?.authentication,
            stored: stored.clientAuthentication)
        } : nil,
      classifier: OAuthErrorClassifier(
        issuer: issuer, operation: .refresh, account: name, now: dependencies.now()),
      dependencies: dependencies, expectsJSON: false)
    do throws(TokenError) {
      _ = try request.perform()
      return .revoked
    } catch {
      guard error.serverError?.error == "invalid_token" || error.serverError?.error == "invalid_grant" else {
        throw TokenError(
          error.kind, "the login wasn't revoked, so its file is kept: \(error.message)",
          remedy: "try again, or remove only the file with --only-here")
      }
      return .alreadyExpired
    }
  }
}
