internal import Synchronization

/// The accounts of a configuration, each opened once, when it is first needed, for all transports.
public final class Accounts: Sendable {
  private let configurations: [AccountConfiguration]
  private let opened = Mutex<[String: any AccessTokenSource]>([:])

  /// The accounts of `configuration`; nothing is opened yet.
  public init(_ configuration: Configuration) { configurations = configuration.accounts }

  /// The source of the tokens of the account `name`; may fetch secrets and block.
  public func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    guard let configuration = configurations.first(where: { $0.name == name }) else {
      let names = configurations.map(\.name)
      throw Diagnostic("there is no account \(quoted(name))", cure: cure(forUnknown: name, among: names))
    }
    let result = opened.withLock { opened -> Result<any AccessTokenSource, Diagnostic> in
      if let source = opened[name] { return .success(source) }
      do throws(Diagnostic) {
        let source = try configuration.opening(configuration.user.fetch())
        opened[name] = source
        return .success(source)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}
