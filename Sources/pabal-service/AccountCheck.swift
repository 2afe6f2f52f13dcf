import PabalAccounts
import PabalCommand
import PabalCore

extension CommandContext {
  /// The accounts that `transports` name; all there are without any.
  func accounts(of transports: [TransportConfiguration]?) -> [AccountConfiguration] {
    let used = transports?.flatMap { transport in
      transport.settings.compactMap { member -> String? in
        guard member.key == "account", case .string(let name) = member.node.value else { return nil }
        return name
      }
    }
    return configuration.accounts.filter { used?.contains($0.name) ?? true }
  }

  /// What else may be wrong where the far side refuses an account whose tokens are in order: a token of the
  /// wrong mailbox is refused like a bad one.
  func possibleCauses(about transport: TransportConfiguration, after problem: Outcome) -> [Diagnostic] {
    guard case .held(.transport, _) = problem else { return [] }
    return accounts(of: [transport]).compactMap { configuration in
      guard let account = (try? account(configuration.name)) as? OAuthAccount, account.canConfirmUser,
        account.status().state != .dead
      else { return nil }
      return Diagnostic(
        "the account's tokens are in order, but perhaps another mailbox than \(account.user) logged in",
        remedy: "have Google say it: pabal account login \(account.name) --confirm-user", severity: .warning)
    }
  }
}

extension Check {
  /// Gets an account's token, anew where the account can renew it, and says how the account is.
  func examine(_ account: AccountConfiguration, _ context: CommandContext) -> (Step, ExitStatus) {
    do throws(Diagnostic) {
      let source = try context.account(account.name)
      if let found = source as? OAuthAccount { return examine(found) }
      do throws(AccessTokenError) {
        _ = try source.accessToken(rejected: nil)
        return (Step("account", account.name, ok: true, detail: "has a token for \(source.user)"), .sent)
      } catch {
        let step = Step("account", account.name, ok: false, outcome: error.outcome, detail: error.reason)
        return (step, ExitStatus(error.outcome))
      }
    } catch {
      return (Step("account", account.name, ok: false, findings: [error]), .configuration)
    }
  }

  private func examine(_ account: OAuthAccount) -> (Step, ExitStatus) {
    var problem: AccessTokenError?
    do throws(AccessTokenError) {
      try account.refreshNow()
    } catch {
      problem = error
    }
    let status = account.status()
    var findings = status.notes.filter { $0 != status.scopeProblem }.map {
      Diagnostic($0, severity: .warning)
    }
    if problem == nil, !status.missingScopes.isEmpty {
      let cause = [status.cause, status.remedy].compactMap(\.self).joined(separator: "; ")
      problem = .held(status.scopeProblem ?? cause)
    }
    if problem == nil, status.state != .fresh, let cause = status.cause {
      findings.insert(Diagnostic(cause, remedy: status.remedy, severity: .warning), at: 0)
    }
    if let guide = status.guide {
      findings.append(
        Diagnostic("the guide says how to mend it: \(guide.place)", severity: .warning))
    }
    let detail =
      problem.map { removingAccountPrefix(account, $0.reason) }
      ?? "\(status.state.rawValue), \(account.user), \(status.scopes.joined(separator: " "))"
    let step = Step(
      "account", account.name, ok: problem == nil, outcome: problem?.outcome, detail: detail,
      findings: findings)
    return (step, problem.map { ExitStatus($0.outcome) } ?? .sent)
  }

  // Transports say whose token they miss; here the step itself does.
  private func removingAccountPrefix(_ account: OAuthAccount, _ reason: String) -> String {
    let prefix = "account \(account.name): "
    return reason.hasPrefix(prefix) ? String(reason.dropFirst(prefix.count)) : reason
  }
}
