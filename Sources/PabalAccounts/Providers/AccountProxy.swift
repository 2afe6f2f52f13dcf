internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// The proxy of an account: its setting `proxy`, which may be a secret.
struct AccountProxy: Sendable {
  private let value: ConfiguredValue

  /// Reads the setting; reports a mistake and returns `nil`.
  init?(_ field: FieldDecoder) {
    guard let value = field.configuredValue() else { return nil }
    if let literal = value.literal {
      do throws(HTTPProxyError) {
        if try HTTPProxy(literal).password != nil { field.reportPlaintextSecret() }
      } catch {
        field.report("the proxy \(error)")
        return nil
      }
    }
    self.value = value
  }

  /// Returns the proxy for connections to `endpoint`; `nil` for this machine, which is never behind a proxy. Fetches a
  /// secret, which may block.
  func proxy(for endpoint: HTTPEndpoint) throws(TokenError) -> CurlProxy? {
    try proxy(forHost: endpoint.host)
  }

  /// Returns the proxy for connections to `host`, in the same way.
  func proxy(forHost host: String) throws(TokenError) -> CurlProxy? {
    guard !LoopbackHost.matches(host) else { return nil }
    let text: String
    do throws(Diagnostic) {
      text = try value.fetch()
    } catch {
      throw TokenError(error)
    }
    do throws(HTTPProxyError) {
      let proxy = try HTTPProxy(text)
      return CurlProxy(
        host: proxy.bracketedHost, port: proxy.port, user: proxy.user, password: proxy.password)
    } catch {
      throw TokenError(.setUp, "\(value.location.path): the proxy \(error)", errorKind: .configuration)
    }
  }
}

extension AccountDependencies {
  /// Returns the dependencies with the proxy of an account's settings, if it has one; `nil` after an error in it.
  func withProxy(of object: ObjectDecoder) -> AccountDependencies? {
    guard let field = object.optional("proxy") else { return self }
    guard let proxy = AccountProxy(field) else { return nil }
    var dependencies = self
    dependencies.proxy = proxy
    return dependencies
  }
}
