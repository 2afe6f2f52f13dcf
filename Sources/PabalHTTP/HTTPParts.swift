public import PabalCore

/// What the service answers from; a reload of the configuration brings a new one.
public struct HTTPParts: Sendable {
  /// The verifications.
  public var verifications: VerificationService
  /// Where mail of any message comes in.
  public var door: FrontDoor
  /// What makes that mail.
  public var words: any MessageWords
  /// Who may call.
  public var access: ServeConfiguration

  /// What the page to try it out needs; `nil`: there is no such page.
  public var demo: DemoParts?

  /// What the service answers from.
  public init(
    verifications: VerificationService, door: FrontDoor, words: any MessageWords, access: ServeConfiguration
  ) {
    self.verifications = verifications
    self.door = door
    self.words = words
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
