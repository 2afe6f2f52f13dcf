internal import Glibc
internal import PabalCore

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
  public var cure: String?
  /// Where the guide says more.
  public var guide: GuideStep?
  /// What the login was granted.
  public var scopes: [String]
  /// What configured transports need and the login lacks.
  public var missingScopes: [String]
  /// What follows from that and what to do, while a transport that needs less still works; one sentence.
  public var scopeProblem: String?
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
      stored = try self.stored()
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
            .dead, "the login ended at \(end)\(LoginEnd(stored, issuer).because)",
            cure: LoginEnd(stored, issuer).cure(account: name), step: LoginEnd(stored, issuer).step))
      } else if end - now < .seconds(8 * 86_400) {
        status.state = .expiring
        let reason = LoginEnd(stored, issuer)
        status.cause = "the login ends at \(end), in \(Self.days(end - now))\(reason.because)"
        status.cure = reason.cure(account: name)
        status.guide = reason.step
      }
    }
    if let last = file.lastFailure, last.counts(against: about, now: now) {
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
    if stored.refreshToken != nil { lookAtScopes(of: stored, &status) }
    if let other = stored.user, other.lowercased() != user.lowercased() {
      status.notes.append("the token file is of \(other), the configuration says \(user)")
    }
    if let problem = writeProblem {
      status.notes.append("renewed tokens are lost with this process: \(problem)")
    } else if !stored.isGcloud, let problem = file.folderProblem {
      status.notes.append("renewed tokens would be lost with each process: \(problem)")
    }
  }

  private func lookAtScopes(of stored: StoredToken, _ status: inout AccountStatus) {
    guard !stored.scopes.isEmpty else {
      status.notes.append("the token file doesn't say its scopes; pabal check asks for them")
      return
    }
    let lacks = ways.map { way in
      missing(way, in: stored.scopes).filter { !GoogleScopes.identity.contains($0) }
    }
    for scope in lacks.joined() where !status.missingScopes.contains(scope) {
      status.missingScopes.append(scope)
    }
    guard !status.missingScopes.isEmpty else { return }
    let words = status.missingScopes.joined(separator: " ")
    let again = "log in again: pabal account login \(name)"
    let asked = missing(status.missingScopes, in: neededScopes)
    let cure =
      asked.isEmpty ? again : "put it into \"scopes\" of the account, or take that key out, then \(again)"
    guard lacks.allSatisfy({ !$0.isEmpty }) else {
      let problem = "the login lacks the scope \(words), which a transport needs; \(cure)"
      status.scopeProblem = problem
      status.notes.append(problem)
      return
    }
    // What is over is mended by the same login.
    guard status.state != .dead else { return }
    status.state = .dead
    status.cause = "the login lacks the scope \(words), without which no transport can send"
    status.cure = cure
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

  static func days(_ duration: Duration) -> String {
    let hours = duration.components.seconds / 3600
    if hours < 1 { return "\(max(1, duration.components.seconds / 60)) min" }
    return hours < 48 ? "\(hours) h" : "\(hours / 24) days"
  }

  static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT }
}
