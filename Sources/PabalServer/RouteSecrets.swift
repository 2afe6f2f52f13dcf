package import PabalCommand
package import PabalCore

extension CommandContext {
  /// Throws if no transport of the route can send because of secrets that are missing: an unset environment variable, or a
  /// file that can't be read.
  ///
  /// Otherwise `pabal serve` starts with the transports in `unopened` held, because mail can be stored and codes checked.
  /// That includes a command that fails, which may work at the next attempt.
  package func rejectRouteWithoutSecrets(
    _ route: [CheckedTransport], unopened: [String]
  ) throws(CommandError) {
    guard !route.isEmpty, route.allSatisfy({ unopened.contains($0.name) }) else { return }
    let missing = route.map(missingSecret)
    guard missing.allSatisfy({ $0 != nil }) else { return }
    let problem = Diagnostic(
      "no mail could be sent: a secret of \(route.count == 1 ? "the only transport" : "every transport") is missing",
      remedy: "provide it to this process; `pabal check` tests what `pabal serve` needs", path: "transport")
    throw CommandError(.configuration, missing.compactMap(\.self) + [problem])
  }

  /// Returns why a secret of `transport` or of its accounts can't be fetched until a person corrects the set-up;
  /// otherwise `nil`. May block.
  package func missingSecret(_ transport: CheckedTransport) -> Diagnostic? {
    if let problem = transport.missingSecret() { return problem }
    for name in transport.settings.compactMap(\.account) {
      let usesCommand = configuration.accounts.first { $0.name == name }?.usesCommand ?? false
      do throws(Diagnostic) {
        _ = try account(name)
      } catch {
        if !usesCommand { return error }
      }
    }
    return nil
  }
}
