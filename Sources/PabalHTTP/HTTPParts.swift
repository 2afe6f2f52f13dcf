public import PabalCore

/// What the service answers from; a reload of the configuration brings a new one.
public struct HTTPParts: Sendable {
  /// The verifications.
  public var verifications: VerificationService
  /// Who may call.
  public var access: ServeConfiguration

  /// What the page to try it out needs; `nil`: there is no such page.
  public var demo: DemoParts?

  /// What the service answers from.
  public init(verifications: VerificationService, access: ServeConfiguration) {
    self.verifications = verifications
    self.access = access
  }
}

/// Whether mail can leave, for whoever sends traffic here.
public struct Readiness: Sendable {
  /// Whether a transport of the route is open.
  public var isReady: Bool
  /// What there is to tell, by name: printable, without addresses and secrets.
  public var detail: [String: String]

  /// Whether mail can leave.
  public init(isReady: Bool, detail: [String: String] = [:]) {
    self.isReady = isReady
    self.detail = detail
  }
}
