internal import Glibc
internal import PabalCore

/// How an account is, as far as this machine knows without asking anybody.
public struct AccountStatus: Sendable {
  /// How it is.
  public enum State: String, Sendable, Hashable {
    /// Tokens renew themselves.
    case fresh
    /// It works, and its end is known.
    case expiring
    /// Only a person can mend it.
    case dead
  }

  /// How it is.
  public var state: State
  /// Why it isn't fresh; one sentence without its full stop.
  public var cause: String?
  /// What to do.
  public var cure: String?
  /// Where the guide says more.
  public var guide: GuideStep?
  /// What the login was granted.
  public var scopes: [String]
  /// What configured transports need and the login lacks.
  public var missingScopes: [String]
  /// When the access token ends; it is renewed before.
  public var accessTokenExpiry: UTCTime?
  /// When the login itself ends, where the server said so: within seven days means Testing.
  public var refreshTokenExpiry: UTCTime?
  /// The token file.
  public var file: String
  /// What else somebody should know.
  public var notes: [String]
}

extension OAuthAccount {
  /// How the account is; reads files, asks nobody.
  public func status() -> AccountStatus {
    var status = AccountStatus(state: .fresh, scopes: [], missingScopes: [], file: file.path, notes: [])
    func judge(_ failure: TokenFailure) {
      status.state = .dead
      (status.cause, status.cure, status.guide) = (failure.what, failure.cure, failure.step)
    }
    let stored: StoredToken?
    let about: String
    do throws(TokenFailure) {
      do throws(SecretFileProblem) { stored = try file.read() } catch { throw TokenFailure(error) }
      status.scopes = stored?.scopes ?? []
      status.accessTokenExpiry = stored?.expiry
      status.refreshTokenExpiry = stored?.refreshTokenExpiry
      about = try renewal.fingerprint(of: stored)
    } catch {
      judge(error)
      return status
    }
    let now = surroundings.now()
    if let end = stored?.refreshTokenExpiry {
      if end <= now {
        judge(
          TokenFailure(
            .dead, "the login ended at \(end)", cure: "log in again: pabal account login \(name)",
            step: issuer == .google ? .publish : nil))
      } else if end - now < .seconds(8 * 86_400) {
        status.state = .expiring
        status.cause = "the login ends at \(end), in \(Self.days(end - now))"
        if issuer == .google {
          status.cause? += ": the app's publishing status is Testing"
          status.cure = "publish the app, then log in again: pabal account login \(name)"
          status.guide = .publish
        } else {
          status.cure = "log in again before: pabal account login \(name)"
        }
      }
    }
    if let last = file.lastFailure, last.fingerprint == about {
      if last.failure.kind == .passing {
        status.notes.append("at \(last.at) a renewal failed: \(last.failure.what)")
      } else {
        judge(last.failure)
      }
    }
    if let stored { look(at: stored, &status) }
    return status
  }

  private func look(at stored: StoredToken, _ status: inout AccountStatus) {
    if stored.refreshToken != nil {
      status.missingScopes = missingScopes(in: stored.scopes)
      if !status.missingScopes.isEmpty, !stored.scopes.isEmpty {
        status.notes.append(
          "the login lacks \(status.missingScopes.joined(separator: " ")), which a transport needs; "
            + "log in again: pabal account login \(name)")
      }
    }
    if let other = stored.user, other.lowercased() != user.lowercased() {
      status.notes.append("the token file is of \(other), the configuration says \(user)")
    }
    if let problem = writeProblem {
      status.notes.append("renewed tokens are lost with this process: \(problem)")
    }
  }

  /// Those of the needed scopes that `granted` doesn't serve.
  func missingScopes(in granted: [String]) -> [String] {
    switch issuer {
    case .google, .workspace: GoogleScopes.missing(neededScopes, in: granted)
    // It asks for the scope offline_access and never grants it by name; names come without their host.
    case .microsoft:
      neededScopes.filter { scope in
        scope != "offline_access"
          && !granted.contains {
            $0.lowercased().split(separator: "/").last == scope.lowercased().split(separator: "/").last
          }
      }
    case .other: neededScopes.filter { !granted.contains($0) && $0 != "offline_access" }
    }
  }

  static func days(_ duration: Duration) -> String {
    let hours = duration.components.seconds / 3600
    return hours < 48 ? "\(hours) h" : "\(hours / 24) days"
  }

  static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT }
}
