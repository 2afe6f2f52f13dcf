package import PabalCommand
package import PabalCore

extension CommandContext {
  /// Returns the warnings about submitters that may use other senders than those that the transports of their routes own.
  /// Loads plugins, and blocks.
  package func senderWarnings(_ listener: SubmissionConfiguration) -> [Diagnostic] {
    guard let routes = try? checkedRoutes([]) else { return [] }
    return routes.transports.compactMap { transport in
      ownedSender(transport).flatMap {
        listener.senderWarning(
          owner: $0, transport: transport.name, configuration.routes, standard: routes.table.standard)
      }
    }
  }

  /// Returns the only address that a transport sends as; `nil` if there is none, or if it isn't known.
  private func ownedSender(_ transport: CheckedTransport) -> Address? {
    for key in transport.plugin.senderSettings {
      guard let setting = transport.settings.first(where: { $0.key == key }), setting.isSet else { continue }
      if let name = setting.account {
        return (try? account(name)).flatMap { try? Address($0.user) }
      }
      return (try? setting.fetch()).flatMap { try? Address($0.text) }
    }
    return nil
  }
}
