import PabalAccounts
import PabalCommand
import PabalCore
import PabalServer

extension Check {
  /// Gets an account's token, renews it if the account can, and reports the account's state.
  ///
  /// An account with tokens for several services has a step for each.
  func examine(_ account: AccountConfiguration, _ context: CommandContext) -> [(Step, ExitStatus)] {
    do throws(Diagnostic) {
      let source = try context.account(account.name)
      if let found = source as? OAuthAccount { return found.all.map(examine) }
      do throws(AccessTokenError) {
        _ = try source.accessToken(rejected: nil)
        return [(Step("account", account.name, ok: true, detail: "has a token for \(source.user)"), .sent)]
      } catch {
        let step = Step("account", account.name, ok: false, outcome: error.outcome, detail: error.reason)
        return [(step, ExitStatus(error.outcome))]
      }
    } catch {
      return [(Step("account", account.name, ok: false, findings: [error]), .configuration)]
    }
  }

  private func examine(_ account: OAuthAccount) -> (Step, ExitStatus) {
    var problem: AccessTokenError?
    account.storeEveryRenewal()
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
    if problem == nil, status.losesLoginUnstored, let cause = status.storageProblem {
      problem = .held(
        "renewed tokens can't be stored, and a server that replaces refresh tokens then ends the login: \(cause)"
          + (status.storageRemedy.map { "; \($0)" } ?? ""))
    }
    if problem == nil, status.state != .fresh, let cause = status.cause {
      findings.insert(Diagnostic(cause, remedy: status.remedy, severity: .warning), at: 0)
    }
    if let guide = status.guide {
      findings.append(
        Diagnostic("the guide describes the fix: \(guide.place)", severity: .warning))
    }
    let detail =
      problem.map { removingAccountPrefix(account, $0.reason) }
      ?? "\(status.state.rawValue), \(account.user), \(status.scopes.joined(separator: " "))"
    let step = Step(
      "account", account.title, ok: problem == nil, outcome: problem?.outcome, detail: detail,
      findings: findings)
    return (step, problem.map { ExitStatus($0.outcome) } ?? .sent)
  }

  // The reason names the account for transports; here the step already does.
  private func removingAccountPrefix(_ account: OAuthAccount, _ reason: String) -> String {
    let prefix = "account \(account.name): "
    return reason.hasPrefix(prefix) ? String(reason.dropFirst(prefix.count)) : reason
  }

  /// Logs in to a mailbox and opens its folder, read-only.
  func examine(_ mailbox: MailboxConfiguration, _ context: CommandContext) -> (Step, ExitStatus) {
    do throws(Diagnostic) {
      let credentials = try mailbox.credentials(context)
      do throws(MailboxError) {
        let folder = try IMAPMailbox(mailbox, credentials, literalLimit: 0).examine(mailbox.folder)
        let detail = "\(mailbox.folder) at \(mailbox.host), \(counted(folder.count, "mail"))"
        return (Step("mailbox", mailbox.name, ok: true, detail: detail), .sent)
      } catch {
        let step = Step(
          "mailbox", mailbox.name, ok: false, outcome: .held(.transport), detail: error.description)
        return (step, .held)
      }
    } catch {
      return (Step("mailbox", mailbox.name, ok: false, findings: [error]), .configuration)
    }
  }
}
