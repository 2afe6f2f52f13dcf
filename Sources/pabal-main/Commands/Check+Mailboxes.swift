import PabalAccounts
import PabalCommand
import PabalCore
import PabalServer

extension Check {
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
