import Dispatch
import PabalCommand
import PabalCore
import PabalHTTP
import PabalMessages
import PabalStorage
import PabalSubmission

/// Everything that an edit of `config.json` can change while `pabal serve` runs. It is created as a whole before it is used.
struct RuntimeSnapshot: Sendable {
  let context: CommandContext
  /// The transports of all routes.
  let route: SharedRoute
  let dispatchRoutes: DispatchRoutes
  /// The transports that can't be opened, with the reason.
  let unopened: [(name: String, problem: Diagnostic)]
  /// The accounts of the transports.
  let tokenSources: [any AccessTokenSource]
  /// What the HTTP server answers from; `nil` if there is none.
  let http: HTTPDependencies?
  /// What the SMTP listeners use.
  let submission: SubmissionSnapshot
  private let messages: MessageCatalog?
  private let routes: CheckedRoutes

  /// The names of each route's transports.
  var table: RouteTable { routes.table }

  /// Creates what `context` describes, with the transports of `routes`; without an HTTP server if `listen` is `nil`.
  ///
  /// Takes the messages over from `previous` if they have the same sources, because they keep their last good version.
  init(
    _ context: CommandContext, _ routes: CheckedRoutes, _ dependencies: (OpenStorage, Dispatcher),
    listen: ListenAddress?, isDemo: Bool, log: ServeLog, previous: RuntimeSnapshot? = nil
  ) throws(CommandError) {
    self.context = context
    self.routes = routes
    route = SharedRoute(context.route(routes.transports, log: log.report))
    dispatchRoutes = routes.table.dispatchRoutes(route.dispatchTransports)
    unopened = route.open()
    try context.rejectRouteWithoutSecrets(routes.standard, unopened: unopened.map(\.name))
    tokenSources = context.tokenSources(routes.transports)
    submission = try SubmissionSnapshot(
      context, dependencies.0, dependencies.1, log: log, previous: previous?.submission)
    guard listen != nil else {
      (http, messages) = (nil, nil)
      return
    }
    var messages = try context.messages { name, diagnostics in log.report(message: name, diagnostics) }
    if let previous = previous?.messages {
      if messages.store.hasSameSources(as: previous.store) {
        messages = previous
      } else {
        try messages.rejectBroken(context.configuration, before: previous)
      }
    }
    messages.store.loadAll()
    self.messages = messages
    let (storage, dispatcher) = dependencies
    var http = HTTPDependencies(
      verifications: try context.verifications(storage, messages, dispatch: dispatcher),
      submission: storage.submission(context.configuration, dispatch: dispatcher),
      composer: StoredMessageComposer(messages.store, from: try context.sender(nil)),
      access: context.configuration.serve.listening(on: listen),
      hostName: context.configuration.serve.submission.first?.host ?? LocalUser.current().domain)
    http.history = MailHistory(storage.outbox, keys: storage.keys)
    http.rewriting = AddressRewriting(
      context.configuration.aliases,
      LocalHosts.current(context.configuration.serve.submission.compactMap(\.host)), completing: http.hostName
    )
    http.hasRoom = FreeSpaceGuard(ofFile: context.configuration.storage.file).hasRoom
    http.demo = isDemo ? try context.demo(routes.transports) : nil
    self.http = http
  }

  /// The options of the dispatcher for these transports.
  var dispatcherOptions: DispatcherOptions { context.options(for: routes.transports) }

  /// Whether both have the same routes, with the same transports in the same order, settings and accounts.
  func hasSameRoute(as other: RuntimeSnapshot) -> Bool {
    let accounts = accounts
    return table == other.table
      && routes.transports.elementsEqual(other.routes.transports) {
        $0.configuration.isSame(as: $1.configuration)
      }
      && accounts.count == other.accounts.count
      && zip(accounts, other.accounts).allSatisfy { $0.isSame(as: $1) }
  }

  // Sorted by name, because their order in the file has no meaning.
  private var accounts: [AccountConfiguration] {
    let names = Set(routes.transports.flatMap { $0.settings.compactMap(\.account) })
    return context.configuration.accounts.filter { names.contains($0.name) }.sorted { $0.name < $1.name }
  }

  /// The messages of the HTTP server; `nil` without one.
  var messageStore: MessageStore? { messages?.store }

  /// The errors in the files of the messages that have been used. May read files.
  var messageProblems: [Diagnostic] {
    guard let messages else { return [] }
    // A message is read again only when it is used, which may not happen for hours.
    let policy = context.configuration.verification.policy
    for name in [policy.message, policy.notice] { _ = try? messages.store.describe(name) }
    return messages.store.problems.filter { $0.severity == .error }
  }
}

extension MessageCatalog {
  /// Throws if the verification message is broken, unless it was already broken in `before`.
  fileprivate func rejectBroken(
    _ configuration: Configuration, before: MessageCatalog
  ) throws(CommandError) {
    let name = configuration.verification.policy.message
    let problems = store.problems(ofMessage: name, hasCode: true)
    guard !problems.isEmpty, before.store.problems(ofMessage: name, hasCode: true).isEmpty else { return }
    throw CommandError(.configuration, problems)
  }
}

/// A route whose transports are closed once it has been replaced and the last mail in them has been sent.
final class SharedRoute: Sendable {
  private let route: Route
  // A queue of its own, because closing the connection to a server may take long.
  private static let closing = DispatchQueue(label: "closing")

  init(_ route: Route) { self.route = route }

  deinit {
    let route = route
    SharedRoute.closing.async { route.close() }
  }

  /// The names of the transports, in order.
  var names: [String] { route.names }

  /// Opens the transports, which fetches their secrets. Returns those that can't be opened. Blocks.
  func open() -> [(name: String, problem: Diagnostic)] {
    route.names.indices.compactMap { index in
      do throws(Diagnostic) {
        try route.transport(index)
        return nil
      } catch {
        return (route.names[index], error)
      }
    }
  }

  /// The transports for a dispatcher; each keeps the route open.
  var dispatchTransports: [DispatchTransport] {
    route.dispatchTransports.map {
      DispatchTransport($0.name, RetainingTransport(transport: $0.transport, route: self))
    }
  }

  /// Closes the transports; returns once those of all earlier routes are closed as well.
  func close() {
    SharedRoute.closing.sync { route.close() }
  }

  private struct RetainingTransport: Transport {
    let transport: any Transport
    let route: SharedRoute

    func send(_ mail: Mail) async -> Receipt { await transport.send(mail) }

    func send(_ mail: Mail, unless isExpired: @escaping @Sendable () -> Bool) async -> Receipt? {
      await transport.send(mail, unless: isExpired)
    }
  }
}

extension CommandContext {
  /// Returns what the demo page needs, which can show the mail that a file transport of the route wrote.
  func demo(_ transports: [CheckedTransport]) throws(CommandError) -> DemoDependencies {
    var directories: [String] = []
    for transport in transports where transport.plugin.name == "file" {
      guard let directory = transport.settings.first(where: { $0.key == "directory" }) else { continue }
      do throws(Diagnostic) {
        directories.append(try directory.fetch().text)
      } catch {
        throw CommandError(.configuration, [error])
      }
    }
    return DemoDependencies(language: configuration.messages?.language ?? "en") { [directories] id in
      // Rejects ids that would lead out of the directory; the transport names its files by id.
      guard id.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ".") }) else { return nil }
      return directories.lazy.compactMap { try? readFile("\($0)/\(id).eml", atMost: 1 << 20) }.first
    }
  }
}
