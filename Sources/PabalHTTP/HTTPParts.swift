public import PabalCore

/// What the service answers from; a reload of the configuration brings a new one.
public struct HTTPDependencies: Sendable {
  /// The verifications.
  public var verifications: VerificationService
  /// Where mail of any message comes in.
  public var submission: MailSubmission
  /// What makes that mail.
  public var composer: any MessageComposer
  /// Who may call.
  public var access: ServeConfiguration

  /// What the page to try it out needs; `nil`: there is no such page.
  public var demo: DemoDependencies?

  /// What the service answers from.
  public init(
    verifications: VerificationService, submission: MailSubmission, composer: any MessageComposer, access: ServeConfiguration
  ) {
    self.verifications = verifications
    self.submission = submission
    self.composer = composer
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
