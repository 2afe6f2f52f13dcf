package import PabalCore
package import PabalMessages

/// The messages that `config.json` names, with its variables fetched.
package struct MessageCatalog: Sendable {
  /// The store of the messages.
  package let store: MessageStore

  /// What the store answers; what it refuses becomes the command's failure.
  package func withStore<Answer>(_ body: (MessageStore) throws(MessageError) -> Answer) throws(CommandError)
    -> Answer
  {
    do throws(MessageError) {
      return try body(store)
    } catch {
      if case .broken(_, let diagnostics) = error { throw CommandError(.input, diagnostics) }
      throw CommandError(.input, error.description)
    }
  }
}

extension CommandContext {
  /// The messages, with the site's variables; fetches those that are secrets.
  package func messages(
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(CommandError) -> MessageCatalog {
    do throws(Diagnostic) {
      return MessageCatalog(store: try MessageStore(configuration, onChange: onChange))
    } catch {
      throw CommandError(.configuration, [error])
    }
  }
}
