import PabalCommand
import PabalCore
import PabalHTTP
import PabalMessages
import PabalStorage

/// All that an edit of `config.json` may change while `pabal serve` runs: one whole set, made before it is used.
struct ServedParts: Sendable {
  let assembly: Assembly
  let route: ServedRoute
  let stops: [DispatchStop]
  /// The accounts of the route's transports.
  let sources: [any AccessTokenSource]
  /// What the HTTP service answers from, where there is one.
  let http: HTTPParts?
  private let messages: MessagesPart?

  /// The parts that `assembly` says, with `transports` as the route, for a service that listens on `listen` or
  /// nowhere.
  ///
  /// Of `earlier` goes on what is the same: the messages, whose last good version they keep.
  init(
    _ assembly: Assembly, _ transports: [CheckedTransport], _ served: (StoragePart, Dispatcher),
    listen: ListenAddress?, isDemo: Bool, log: ServeLog, earlier: ServedParts? = nil
  ) throws(Failure) {
    self.assembly = assembly
    route = ServedRoute(assembly.route(transports, log: log.tell))
    stops = route.stops
    sources = assembly.sources(transports)
    guard listen != nil else {
      (http, messages) = (nil, nil)
      return
    }
    var messages = try assembly.messages { name, diagnostics in log.tell(message: name, diagnostics) }
    if let earlier = earlier?.messages {
      if messages.store.hasSameSources(as: earlier.store) {
        messages = earlier
      } else {
        try messages.refuseBroken(assembly.configuration, before: earlier)
      }
    }
    self.messages = messages
    let (storage, dispatcher) = served
    var http = HTTPParts(
      verifications: try assembly.verifications(storage, messages, dispatch: dispatcher),
      door: FrontDoor(
        store: SQLiteVerifications(storage.database), keys: storage.keys, dispatch: dispatcher),
      words: MessageMails(messages.store, from: try assembly.sender(nil)),
      access: assembly.configuration.serve.listening(on: listen))
    http.demo = isDemo ? try assembly.demo(transports) : nil
    self.http = http
  }

  /// What is wrong with the messages that were asked for, as their files are now. May read files.
  var messageProblems: [Diagnostic] {
    guard let messages else { return [] }
    // An edit is looked at when somebody asks for the message, and nobody may for hours.
    let policy = assembly.configuration.verification.policy
    for name in [policy.message, policy.notice] { _ = try? messages.store.describe(name) }
    return messages.store.problems.filter { $0.severity == .error }
  }
}

extension MessagesPart {
  /// Refuses messages whose verification can't be sent, unless that of those `before` can't be, either.
  fileprivate func refuseBroken(
    _ configuration: Configuration, before: MessagesPart
  ) throws(Failure) {
    let name = configuration.verification.policy.message
    do throws(MessageError) {
      _ = try store.describe(name)
    } catch {
      guard (try? before.store.describe(name)) != nil else { return }
      guard case .broken(_, let diagnostics) = error else {
        throw Failure(.configuration, error.description)
      }
      throw Failure(.configuration, diagnostics.filter { $0.severity == .error })
    }
  }
}
