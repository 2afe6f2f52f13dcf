import Dispatch
import PabalAccounts
import PabalCore
import Synchronization

/// Keeps the tokens of a service's accounts fresh, so that no mail waits for one.
final class Freshness: Sendable {
  private let isOver = Mutex(false)
  private let log: ServeLog

  /// Begins with the accounts that `transports` use; where a secret can't be had, the transport tells.
  init(_ assembly: Assembly, of transports: [Assembly.CheckedTransport], _ log: ServeLog) {
    self.log = log
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    for name in names.sorted() {
      guard let account = (try? assembly.account(name)) as? OAuthAccount else { continue }
      keep(account, name, DispatchQueue(label: "account \(name)"))
    }
  }

  /// Stops; a renewal under way is not waited for.
  func end() { isOver.withLock { $0 = true } }

  private func keep(_ account: OAuthAccount, _ name: String, _ queue: DispatchQueue, wasDead: Bool = false) {
    queue.async { [self] in
      guard !isOver.withLock({ $0 }) else { return }
      let wait = account.keepFresh()
      let status = account.status()
      let isDead = status.state == .dead
      if isDead != wasDead {
        log.write(
          isDead ? "account dead" : "account fresh", ("account", name), ("problem", status.cause ?? ""))
      }
      queue.asyncAfter(deadline: .now() + wait.seconds) { [self] in
        keep(account, name, queue, wasDead: isDead)
      }
    }
  }
}
