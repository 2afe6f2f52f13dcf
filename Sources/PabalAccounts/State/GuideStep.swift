/// A step of the guides in the documentation: where what is wrong is mended.
public enum GuideStep: String, Sendable, Hashable, CaseIterable {
  case project = "Google.md#1-project"
  case consent = "Google.md#2-consent-screen"
  case publish = "Google.md#3-publishing-status"
  case gmailAPI = "Google.md#4-gmail-api"
  case client = "Google.md#5-desktop-client"
  case login = "Google.md#6-login"
  case serviceAccountKey = "Workspace.md#2-key"
  case delegation = "Workspace.md#3-delegation"
  case clock = "Workspace.md#4-check"
  case registration = "Microsoft365.md#1-registration"
  case permission = "Microsoft365.md#2-permission"
  case microsoftLogin = "Microsoft365.md#4-login"

  /// Where it is, from the root of the repository.
  public var place: String { "Sources/PabalCore/PabalCore.docc/Guides/\(rawValue)" }
}
