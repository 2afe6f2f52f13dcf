import PabalAccounts
import PabalCore

extension Assembly {
  /// The accounts that Pabal renews itself, of these transports or of all.
  func oauthAccounts(of transports: [TransportConfiguration]?) -> [Result<OAuthAccount, Failure>] {
    let used = transports?.flatMap { transport in
      transport.settings.compactMap { member -> String? in
        guard member.key == "account", case .string(let name) = member.node.value else { return nil }
        return name
      }
    }
    return configuration.accounts.filter { used?.contains($0.name) ?? true }.compactMap { account in
      do throws(Diagnostic) {
        return try (accounts.account(account.name) as? OAuthAccount).map { .success($0) }
      } catch {
        return .failure(Failure(.configuration, [error]))
      }
    }
  }
}

extension Check {
  /// Renews an account's token, whatever is at hand, and says how the account is.
  func examine(_ account: Result<OAuthAccount, Failure>) -> (Step, ExitStatus) {
    let found: OAuthAccount
    do throws(Failure) {
      found = try account.get()
    } catch {
      let step = Step(
        part: "account", name: "", ok: false, outcome: nil, detail: nil,
        findings: error.diagnostics.map(Finding.init))
      return (step, error.status)
    }
    var problem: (outcome: Outcome, reason: String)?
    do throws(AccessTokenProblem) {
      try found.renewNow()
    } catch {
      switch error {
      case .held(let reason, _): problem = (.held(.transport), reason)
      case .deferred(let reason, _): problem = (.deferred(), reason)
      }
    }
    let status = found.status()
    var findings = status.notes.map { Diagnostic($0, severity: .warning) }
    if problem == nil, status.state != .fresh, let cause = status.cause {
      findings.insert(Diagnostic(cause, cure: status.cure, severity: .warning), at: 0)
    }
    if let guide = status.guide {
      findings.append(
        Diagnostic("the guide says how to mend it: \(AccountShown.place(guide))", severity: .warning))
    }
    let detail =
      problem?.reason ?? "\(status.state.rawValue), \(found.user), \(status.scopes.joined(separator: " "))"
    let step = Step(
      part: "account", name: found.name, ok: problem == nil, outcome: problem?.outcome.name, detail: detail,
      findings: findings.map(Finding.init))
    return (step, problem.map { ExitStatus($0.outcome) } ?? .sent)
  }
}
