internal import Glibc
public import PabalCore

/// The state of an account as far as stored files show it, without network access.
public struct AccountStatus: Sendable {
  /// The state of an account.
  public enum State: String, Sendable, Hashable {
    /// Tokens are renewed automatically.
    case fresh = "fresh"
    /// The account works until a known date.
    case expiring = "expiring"
    /// The account doesn't work until a person fixes it.
    case dead = "dead"
  }

  /// The state.
  public var state: State
  /// Why the account isn't fresh; one sentence without a full stop.
  public var cause: String?
  /// What to do.
  public var remedy: String?
  /// The step of the guide that says more.
  public var guide: GuideStep?
  /// The granted scopes.
  public var scopes: [String]
  /// The scopes that configured transports need and that were not granted.
  public var missingScopes: [String]
  /// The consequence of missing scopes and the remedy, if another transport still works; one sentence.
  public var scopeProblem: String?
  /// When the access token expires; it is renewed before.
  public var accessTokenExpiry: Timestamp?
  /// When the login itself expires, if the server said so.
  public var refreshTokenExpiry: Timestamp?
  /// The path of the token file.
  public var file: String
  /// Why renewed tokens can't be stored; one sentence without a full stop.
  public var storageProblem: String?
  /// What makes the token file writable.
  public var storageRemedy: String?
  /// Whether the storage problem may end the login, because the server replaces refresh tokens.
  public var losesLoginUnstored = false
  /// Further remarks, one sentence each.
  public var notes: [String]
}

extension OAuthAccount {
  /// Returns the state of the account; reads files and doesn't use the network.
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
            .dead, "the login expired at \(end)\(LoginExpiry(stored, issuer).reasonClause)",
            remedy: LoginExpiry(stored, issuer).remedy(account: name), step: LoginExpiry(stored, issuer).step)
        )
      } else if end - now < .seconds(8 * 86_400) {
        status.state = .expiring
        let reason = LoginExpiry(stored, issuer)
        status.cause = "the login expires at \(end), in \(Self.durationText(end - now))\(reason.reasonClause)"
        status.remedy = reason.remedy(account: name)
        status.guide = reason.step
      }
    }
    if let last = file.lastError, last.applies(against: fingerprint, now: now) {
      if last.failure.kind == .transient, let problem = last.storageProblem {
        status.notes.append("the tokens renewed at \(last.at) couldn't be stored: \(problem)")
      } else if last.failure.kind == .transient {
        status.notes.append("the renewal at \(last.at) failed: \(last.failure.message)")
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
      status.notes.append("the token file belongs to \(other), but the configuration says \(user)")
    }
    if let problem = storageProblem {
      (status.storageProblem, status.storageRemedy) = (problem.message, problem.remedy)
      status.losesLoginUnstored = losesLoginUnstored
      let consequence =
        storage.hasUnwritten
        ? "renewed tokens are lost when this process ends"
        : "renewed tokens would be lost when the process ends"
      status.notes.append("\(consequence): \(problem.message)")
    }
  }

  private func addMissingScopes(of stored: StoredToken, _ status: inout AccountStatus) {
    guard !stored.scopes.isEmpty else {
      status.notes.append("the token file doesn't list its scopes; pabal check finds them out")
      return
    }
    let missingSets = scopeSets.map { scopeSet in
      missing(scopeSet, in: stored.scopes).filter { !GoogleScopes.identity.contains($0) }
    }
    for scope in missingSets.joined() where !status.missingScopes.contains(scope) {
      status.missingScopes.append(scope)
    }
    guard !status.missingScopes.isEmpty else { return }
    let scopes = status.missingScopes.joined(separator: " ")
    let newLogin = "log in again: pabal account login \(name)"
    let unconfigured = missing(status.missingScopes, in: neededScopes)
    let remedy =
      unconfigured.isEmpty
      ? newLogin : "add it to \"scopes\" of the account, or remove that key, then \(newLogin)"
    guard missingSets.allSatisfy({ !$0.isEmpty }) else {
      let problem = "the login lacks the scope \(scopes), which a transport needs; \(remedy)"
      status.scopeProblem = problem
      status.notes.append(problem)
      return
    }
    // An expired login has the same remedy already.
    guard status.state != .dead else { return }
    status.state = .dead
    status.cause = "the login lacks the scope \(scopes), and no transport can send without it"
    status.remedy = remedy
    status.guide = issuer == .google ? .login : issuer == .microsoft ? .permission : nil
  }

  /// Returns the meaning of a refusal of scopes: since the login, a transport was added that needs another one.
  func explainingMissingScopes(_ failure: TokenError, in stored: StoredToken?) -> TokenError {
    guard issuer == .microsoft, let granted = stored?.scopes, !granted.isEmpty,
      let serverError = failure.serverError,
      serverError.error == "invalid_scope" || serverError.description?.contains("AADSTS65001") == true
    else { return failure }
    let missing = missingScopes(in: granted)
    guard !missing.isEmpty else { return failure }
    return TokenError(
      .setUp,
      "the login lacks the scope \(missing.joined(separator: " ")), which a transport needs (\(serverError.summary))",
      remedy: "log in again: pabal account login \(name)", step: .permission, serverError: serverError,
      retryAfter: .seconds(60))
  }

  /// Returns the needed scopes that `granted` doesn't cover.
  func missingScopes(in granted: [String]) -> [String] { missing(neededScopes, in: granted) }

  private func missing(_ needed: [String], in granted: [String]) -> [String] {
    switch issuer {
    case .google, .workspace: GoogleScopes.missing(needed, in: granted)
    // Microsoft never lists offline_access among the granted scopes, and lists names without their host.
    case .microsoft:
      needed.filter { scope in
        scope != "offline_access"
          && !granted.contains {
            $0.lowercased().split(separator: "/").last == scope.lowercased().split(separator: "/").last
          }
      }
    case .other:
      needed.filter { scope in
        // A scope with a comma is split in the answer.
        scope != "offline_access" && !granted.contains(scope)
          && !scope.split(separator: ",").allSatisfy { granted.contains(String($0)) }
      }
    }
  }

  static func durationText(_ duration: Duration) -> String {
    let hours = duration.components.seconds / 3600
    if hours < 1 { return "\(max(1, duration.components.seconds / 60)) min" }
    return hours < 48 ? "\(hours) h" : "\(hours / 24) days"
  }

  static func mayExist(_ path: String) -> Bool { access(path, F_OK) == 0 || errno != ENOENT }
}

/// A step of the guides in the documentation.
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
  case app = "Microsoft365.md#6-an-app-without-a-user"

  /// The path of the step, from the root of the repository.
  public var place: String { "Sources/PabalCore/PabalCore.docc/Guides/\(rawValue)" }
}
