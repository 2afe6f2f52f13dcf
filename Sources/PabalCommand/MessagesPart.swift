package import PabalCore
package import PabalMessages

/// The messages that `config.json` names, with its variables fetched.
package struct MessagesPart: Sendable {
  /// The store of the messages.
  package let store: MessageStore

  /// What the store answers; what it refuses becomes the command's failure.
  package func asked<Answer>(_ question: (MessageStore) throws(MessageError) -> Answer) throws(Failure)
    -> Answer
  {
    do throws(MessageError) {
      return try question(store)
    } catch {
      if case .broken(_, let diagnostics) = error { throw Failure(.input, diagnostics) }
      throw Failure(.input, error.description)
    }
  }
}

extension Assembly {
  /// The messages, with the site's variables; fetches those that are secrets.
  package func messages(
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Failure) -> MessagesPart {
    do throws(Diagnostic) {
      return MessagesPart(store: try MessageStore(configuration, onChange: onChange))
    } catch {
      throw Failure(.configuration, [error])
    }
  }
}
