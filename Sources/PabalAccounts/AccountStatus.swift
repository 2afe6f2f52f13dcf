internal import Glibc
public import PabalCore

/// How an account is, as far as this machine knows without asking anybody.
public struct AccountStatus: Sendable {
  /// How it is.
  public enum State: String, Sendable, Hashable {
    /// Tokens renew themselves.
    case fresh = "fresh"
    /// It works, and its end is known.
    case expiring = "expiring"
    /// Only a person can mend it.
    case dead = "dead"
  }

  /// How it is.
  public var state: State
  /// Why it isn't fresh; one sentence without its full stop.
  public var cause: String?
  /// What to do.
  public var remedy: String?
  /// Where the guide says more.
  public var guide: GuideStep?
  /// What the login was granted.
  public var scopes: [String]
  /// What configured transports need and the login lacks.
  public var missingScopes: [String]
  /// What follows from that and what to do, while a transport that needs less still works; one sentence.
  public var scopeProblem: String?
  /// When the access token ends; it is renewed before.
  public var accessTokenExpiry: Timestamp?
  /// When the login itself ends, where the server said so: within seven days means Testing.
  public var refreshTokenExpiry: Timestamp?
  /// The token file.
  public var file: String
  /// What else somebody should know.
  public var notes: [String]
}

extension OAuthAccount {
  /// How the account is; reads files, asks nobody.
  public func status() -> AccountStatus {
    var status = AccountStatus(state: .fresh, scopes: [], missingScopes: [], file: file.path, notes: [])
    func markDead(_ failure: TokenError) {
      status.state = .dead
      (status.cause, status.remedy, status.guide) = (failure.message, failure.remedy, failure.step)
    }
    let stored: StoredToken?
    let fingerprint: String
    do throws(TokenError) {
      stored = try self.stored()
      status.scopes = stored?.scopes ?? []
      status.accessTokenExpiry = stored?.expiry
      status.refreshTokenExpiry = stored?.refreshTokenExpiry
      fingerprint = try tokenGrant.fingerprint(of: stored)
    } catch {
      markDead(error)
      return status
    }
    let now = dependencies.now()
    if let end = stored?.refreshTokenExpiry {
      if end <= now {
        markDead(
          TokenError(
            .dead, "the login ended at \(end)\(LoginExpiry(stored, issuer).reasonClause)",
            remedy: LoginExpiry(stored, issuer).remedy(account: name), step: LoginExpiry(stored, issuer).step)
        )
      } else if end - now < .seconds(8 * 86_400) {
        status.state = .expiring
        let reason = LoginExpiry(stored, issuer)
        status.cause = "the login ends at \(end), in \(Self.durationText(end - now))\(reason.reasonClause)"
        status.remedy = reason.remedy(account: name)
        status.guide = reason.step
      }
    }
    if let last = file.lastError, last.applies(against: fingerprint, now: now) {
      if last.failure.kind == .transient {
        status.notes.append("at \(last.at) a renewal failed: \(last.failure.message)")
      } else {
        markDead(last.failure)
      }
    }
    if let stored { addNotes(at: stored, &status) }
    return status
  }

  private func addNotes(at stored: StoredToken, _ status: inout AccountStatus) {
    if stored.refreshToken != nil { addMissingScopes(of: stored, &status) }
    if let other = stored.user, other.lowercased() != user.lowercased() {
      status.notes.append("the token file is of \(other), the configuration says \(user)")
    }
    if let problem = writeError {
      status.notes.append("renewed tokens are lost with this process: \(problem)")
    } else if !stored.isGcloud, let problem = file.folderWriteError {
      status.notes.append("renewed tokens would be lost with each process: \(problem)")
    }
  }

  private func addMissingScopes(of stored: StoredToken, _ status: inout AccountStatus) {
    guard !stored.scopes.isEmpty else {
      status.notes.append("the token file doesn't say its scopes; pabal check asks for them")
      return
    }
    let lacks = scopeSets.map { scopeSet in
      missing(scopeSet, in: stored.scopes).filter { !GoogleScopes.identity.contains($0) }
    }
    for scope in lacks.joined() where !status.missingScopes.contains(scope) {
      status.missingScopes.append(scope)
    }
    guard !status.missingScopes.isEmpty else { return }
    let words = status.missingScopes.joined(separator: " ")
    let again = "log in again: pabal account login \(name)"
    let asked = missing(status.missingScopes, in: neededScopes)
    let remedy =
      asked.isEmpty ? again : "put it into \"scopes\" of the account, or take that key out, then \(again)"
    guard lacks.allSatisfy({ !$0.isEmpty }) else {
      let problem = "the login lacks the scope \(words), which a transport needs; \(remedy)"
      status.scopeProblem = problem
      status.notes.append(problem)
      return
    }
    // What is over is mended by the same login.
    guard status.state != .dead else { return }
    status.state = .dead
    status.cause = "the login lacks the scope \(words), without which no transport can send"
    status.remedy = remedy
    status.guide = issuer == .google ? .login : issuer == .microsoft ? .permission : nil
  }

  /// Those of the needed scopes that `granted` doesn't serve.
  func missingScopes(in granted: [String]) -> [String] { missing(neededScopes, in: granted) }

  private func missing(_ needed: [String], in granted: [String]) -> [String] {
    switch issuer {
    case .google, .workspace: GoogleScopes.missing(needed, in: granted)
    // It asks for the scope offline_access and never grants it by name; names come without their host.
    case .microsoft:
      needed.filter { scope in
        scope != "offline_access"
          && !granted.contains {
            $0.lowercased().split(separator: "/").last == scope.lowercased().split(separator: "/").last
          }
      }
    case .other: needed.filter { !granted.contains($0) && $0 != "offline_access" }
    }
  }

  static func durationText(_ duration: Duration) -> String {
    let hours = duration.components.seconds / 3600
    if hours < 1 { return "\(max(1, duration.components.seconds / 60)) min" }
    return hours < 48 ? "\(hours) h" : "\(hours / 24) days"
  }

  static func mayExist(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT }
}

/// A step of the guides in the documentation: where what is wrong is mended.
public enum GuideStep: String, Sendable, Hashable, CaseIterable {
  case project = "Google.md#1-project"
  case consent = "Google.md#2-consent-screen"
  case publish = "Google.md#3-publishing-status"
  case gmailAPI = "Google.md#4-gmail-api"
  case client = "Google.md#5-desktop-client"
  case login = "Google.md#6-login"
  case serviceAccountKey = "Workspace.md#2-key"
  case delegation = "Workspace.md#3-delegation"
  case clock = "Workspace.md#4-check"
  case registration = "Microsoft365.md#1-registration"
  case permission = "Microsoft365.md#2-permission"
  case microsoftLogin = "Microsoft365.md#4-login"

  /// Where it is, from the root of the repository.
  public var place: String { "Sources/PabalCore/PabalCore.docc/Guides/\(rawValue)" }
}
