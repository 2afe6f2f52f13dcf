import PabalAccounts
import PabalCore
import PabalHTTP
import PabalSubmission
import Synchronization

/// Whether a start of a verification would succeed now, as `/readyz`, the metrics and the log report it.
///
/// `not ready` if no start can succeed, because of the store, its keys or the verification message; `degraded` if mail is
/// delayed or some starts fail, because an outage of the provider must not take the service out of use while mail can be
/// stored and codes be checked.
final class ServeReadiness: Sendable {
  private let runtime: ServeRuntime
  private let store: StoreProbe
  private let logged = Mutex<[String: String]>([:])

  init(_ runtime: ServeRuntime) {
    self.runtime = runtime
    store = StoreProbe(runtime.storage)
  }

  /// A part of the service that isn't as it should be.
  private struct Problem {
    let part: String
    let text: String
    let isFatal: Bool
  }

  /// Returns the readiness, and logs what has changed since the last call.
  func current() async -> Readiness {
    let snapshot = runtime.snapshot
    var problems: [Problem] = []
    var detail: [String: String] = [:]
    func report(_ part: String, _ text: String, isFatal: Bool = false) {
      detail[part] = text
      problems.append(Problem(part: part, text: text, isFatal: isFatal))
    }
    for condition in await runtime.dispatcher.conditions() {
      detail[condition.name] = condition.summary
      if condition.availability != .ready { report(condition.name, condition.summary) }
    }
    for account in await snapshot.accountStates() {
      detail["account \(account.name)"] = account.summary
      if account.needsAttention { report("account \(account.name)", account.summary) }
    }
    detail["configuration"] = runtime.health.summary
    let messages = snapshot.messageCondition
    detail["messages"] = messages.summary
    if messages.status != .ready {
      report("messages", messages.summary, isFatal: messages.status == .notReady)
    }
    detail["keys"] = "ready"
    if let problem = snapshot.context.configuration.keys.missingFile { report("keys", problem) }
    // Sends nothing late, so it degrades nothing.
    if let warning = snapshot.context.configuration.localMailWarning { detail["aliases"] = warning.message }
    for submission in snapshot.context.configuration.serve.submission {
      // Mail that sendmail left there waits.
      if let finding = submission.dropFinding { report("drop", finding.message) }
    }
    detail["storage"] = "ready"
    if let problem = await store.problem() { report("storage", problem.description, isFatal: true) }
    log(problems)
    let status: Readiness.Status =
      problems.isEmpty ? .ready : problems.contains(where: \.isFatal) ? .notReady : .degraded
    return Readiness(status, detail: detail)
  }

  /// Logs each problem once, and the end of those that no longer exist. The events of the dispatcher report transports.
  private func log(_ problems: [Problem]) {
    let transports = Set(runtime.snapshot.route.names)
    let found = Dictionary(
      problems.filter { !transports.contains($0.part) }.map { ($0.part, ($0.text, $0.isFatal)) }
    ) { first, _ in first }
    let (new, ended) = logged.withLock { logged in
      let new = found.filter { logged[$0.key] != $0.value.0 }
      let ended = logged.keys.filter { found[$0] == nil }
      logged = found.mapValues(\.0)
      return (new, ended)
    }
    for (part, (text, isFatal)) in new.sorted(by: { $0.key < $1.key }) {
      runtime.log.write(isFatal ? "not ready" : "degraded", ("part", part), ("problem", text))
    }
    for part in ended.sorted() { runtime.log.write("ready", ("part", part)) }
  }
}

/// The state of an account's login.
private struct AccountCondition: Sendable {
  let name: String
  let summary: String
  let needsAttention: Bool

  init(_ account: OAuthAccount) {
    let status = account.status()
    name = account.title
    // A login that expires in some days delays no mail yet.
    needsAttention = status.state == .dead || (status.state == .fresh && account.needsAttention)
    let reasons = [status.cause].compactMap(\.self) + status.notes
    summary = FailureCause.withoutAddresses(([status.state.rawValue] + reasons).joined(separator: ": "))
  }
}

extension RuntimeSnapshot {
  /// The states of the accounts of the route's transports.
  fileprivate func accountStates() async -> [AccountCondition] {
    let accounts = tokenSources.compactMap { $0 as? OAuthAccount }
    guard !accounts.isEmpty else { return [] }
    let threads = WorkerThreads(count: 1)
    defer { threads.stop() }
    // On a thread of its own, because it reads files.
    return await threads.run { accounts.map(AccountCondition.init) }
  }

  /// Whether the messages that verifications use can be rendered, and one line about all of them for `/readyz`.
  fileprivate var messageCondition: (status: Readiness.Status, summary: String) {
    guard let store = messageStore else { return (.ready, "not used") }
    let policy = context.configuration.verification.policy
    let all = messageProblems
    func summary(_ first: Diagnostic) -> String {
      "broken: \(first.located)" + (all.count > 1 ? ", and \(all.count - 1) more" : "")
    }
    if let fatal = store.problems(ofMessage: policy.message, hasCode: true).first {
      // Without that message, starts that name another one still succeed.
      return (store.hasMessage(policy.message) ? .notReady : .degraded, summary(fatal))
    }
    var partial = store.languageProblems(ofMessage: policy.message)
    if store.hasMessage(policy.notice) {
      partial += store.problems(ofMessage: policy.notice, hasCode: false)
      partial += store.languageProblems(ofMessage: policy.notice)
    }
    if let first = partial.first { return (.degraded, summary(first)) }
    return (.ready, all.first.map(summary) ?? "up to date")
  }
}

extension TransportCondition {
  /// One line about the transport for `/readyz`.
  fileprivate var summary: String {
    guard availability != .ready else { return availability.rawValue }
    let since = heldSince.map { " since \($0.text)" } ?? ""
    let next = until.map { "tried again at \($0.text)" } ?? "tried by the next mail"
    return "\(availability.rawValue)\(since), \(next)" + (cause.map { ": \($0)" } ?? "")
  }
}
