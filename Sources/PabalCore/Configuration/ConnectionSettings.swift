/// `serve.connections`: the limits on the connections of the HTTP service.
public struct ConnectionSettings: Sendable, Hashable {
  /// `idle`: how long a connection may wait for its next request.
  public private(set) var idle: Duration = .seconds(75)
  /// `max`: the maximum number of open connections.
  public private(set) var max = 1_000
  /// `perAddress`: the maximum number of open connections of one client address, other than loopback addresses and
  /// trusted proxies.
  public private(set) var perAddress = 250

  /// The defaults.
  public init() {}

  static func read(_ value: FieldDecoder) -> ConnectionSettings? {
    value.object { object in
      var settings = ConnectionSettings()
      if let idle = object.optional("idle")?.duration(in: .seconds(1)...(.seconds(3_600))) {
        settings.idle = idle
      }
      if let max = object.optional("max")?.integer(in: 16...100_000) { settings.max = max }
      if let perAddress = object.optional("perAddress")?.integer(in: 1...100_000) {
        settings.perAddress = perAddress
      }
      return settings
    }
  }
}
