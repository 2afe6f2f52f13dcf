import Glibc
package import PabalAccounts
import PabalCore
import Synchronization

/// Where the accounts of this process report what a person should see at once.
package enum AccountReports {
  private static let receiver = Mutex<@Sendable (AccountEvent) -> Void>(AccountReports.printEvent)

  /// Passes events to `receiver` from now on, instead of printing them to standard error.
  package static func redirect(to receiver: @escaping @Sendable (AccountEvent) -> Void) {
    self.receiver.withLock { $0 = receiver }
  }

  /// Reports an event.
  @Sendable static func report(_ event: AccountEvent) {
    let receiver = receiver.withLock { $0 }
    receiver(event)
  }

  @Sendable private static func printEvent(_ event: AccountEvent) {
    switch event {
    case .waiting(let account, let text):
      // A cron job would mail it.
      guard isatty(STDERR_FILENO) == 1 else { return }
      Terminal.printError("pabal: account \(account): \(text)")
    case .unstored(let account, let text):
      Terminal.printError([Diagnostic("account \(account): \(text)", severity: .warning)])
    }
  }
}
