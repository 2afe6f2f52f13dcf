import PabalAccounts
import PabalCommand
import PabalCore

extension Assembly {
  /// The accounts that `transports` use; where a secret can't be had, the transport tells. May block.
  func sources(_ transports: [CheckedTransport]) -> [any AccessTokenSource] {
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    return names.sorted().compactMap { try? account($0) }
  }
}

/// Keeps the tokens of accounts fresh, so that no mail waits for one, until the task is cancelled.
func keepFresh(_ sources: [any AccessTokenSource], _ log: ServeLog) -> Task<Void, Never> {
  Task.detached {
    await TokenKeeper(sources) { line in log.write("account", ("about", line)) }.run()
  }
}
