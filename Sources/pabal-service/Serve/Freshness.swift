import PabalAccounts
import PabalCommand
import PabalCore

extension Assembly {
  /// Keeps the tokens of the accounts that `transports` use fresh, so that no mail waits for one, until the task
  /// is cancelled; where a secret can't be had, the transport tells.
  func keepFresh(_ transports: [CheckedTransport], _ log: ServeLog) -> Task<Void, Never> {
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    let sources = names.sorted().compactMap { try? account($0) }
    return Task.detached {
      await TokenKeeper(sources) { line in log.write("account", ("about", line)) }.run()
    }
  }
}
