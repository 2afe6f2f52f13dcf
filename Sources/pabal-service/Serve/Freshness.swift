import PabalAccounts
import PabalCommand
import PabalCore

extension CommandContext {
  /// The accounts that `transports` use; where a secret can't be had, the transport tells. May block.
  func tokenSources(_ transports: [CheckedTransport]) -> [any AccessTokenSource] {
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    return names.sorted().compactMap { try? account($0) }
  }
}

/// Keeps the tokens of accounts fresh, so that no mail waits for one, until the task is cancelled.
func startTokenRefresh(_ tokenSources: [any AccessTokenSource], _ log: ServeLog) -> Task<Void, Never> {
  Task.detached {
    await TokenRefresher(tokenSources) { line in log.write("account", ("about", line)) }.run()
  }
}
