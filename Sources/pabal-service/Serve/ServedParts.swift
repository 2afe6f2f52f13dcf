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
  private let transports: [CheckedTransport]

  /// The parts that `assembly` says, with `transports` as the route, for a service that listens on `listen` or
  /// nowhere.
  ///
  /// Of `earlier` goes on what is the same: the messages, whose last good version they keep.
  init(
    _ assembly: Assembly, _ transports: [CheckedTransport], _ served: (StoragePart, Dispatcher),
    listen: ListenAddress?, isDemo: Bool, log: ServeLog, earlier: ServedParts? = nil
  ) throws(Failure) {
    self.assembly = assembly
    self.transports = transports
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

  /// Whether mail takes the same transports in the same order, with the same settings and accounts.
  func hasSameRoute(as other: ServedParts) -> Bool {
    let accounts = accounts
    return transports.elementsEqual(other.transports) { $0.configuration.isSame(as: $1.configuration) }
      && accounts.count == other.accounts.count
      && zip(accounts, other.accounts).allSatisfy { $0.isSame(as: $1) }
  }

  // In the order of their names: the file's order says nothing.
  private var accounts: [AccountConfiguration] {
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    return assembly.configuration.accounts.filter { names.contains($0.name) }.sorted { $0.name < $1.name }
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
