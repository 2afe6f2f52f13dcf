import Foundation
package import PabalCore
import PabalFormats
package import PabalTesting

/// A route of a real plugin and fixtures that act as given.
package struct FailoverRoute {
  /// A transport of the route.
  package enum Entry {
    /// The plugin of this name for a port, with an account of this name.
    case plugin(String, RESTTestPort, account: String, RESTTestTokens)
    /// The fixture under this name, with this act.
    case fixture(String, act: String)
  }

  private let directory: TemporaryDirectory
  private let entries: [Entry]

  /// A route of `entries`; `directory` takes the fixtures.
  package init(_ entries: [Entry], in directory: TemporaryDirectory) {
    self.entries = entries
    self.directory = directory
  }

  /// Delivers a mail with these bytes and closes the route.
  package func deliver(
    to recipients: [String] = ["bob@example.org"], _ bytes: [UInt8], unknownPolicy: UnknownPolicy = .resend
  ) throws -> Delivery {
    let route = Route(try entries.map(opened))
    defer { route.close() }
    return route.deliver(try Mail.sample(to: recipients, bytes: bytes), unknownPolicy: unknownPolicy)
  }

  private func opened(_ entry: Entry) throws -> Route.Entry {
    switch entry {
    case .plugin(let name, let port, let account, let tokens):
      let settings = port.settings(account: account).mapValues { JSONValue.Content.string($0) }
      return routeEntry(name) {
        try TestPlugin.open(BuiltProducts.plugin(name), settings, accounts: [account: tokens])
      }
    case .fixture(let name, let act):
      // Each has a copy, because the linker loads a file once.
      let copies = try FileManager.default.contentsOfDirectory(atPath: directory.path).count
      let faulty = try directory.copy(
        BuiltProducts.fixture("faulty"), to: "\(copies)-\(name)/libpabal-faulty.so")
      return routeEntry(name) { try TestPlugin.open(faulty, ["act": .string(act)]) }
    }
  }

  private func routeEntry(_ name: String, _ open: @escaping @Sendable () throws -> LoadedTransport)
    -> Route.Entry
  {
    Route.Entry(name) { () throws(Diagnostic) in
      do { return try open() } catch { throw Diagnostic("\(error)") }
    }
  }
}
