/// What a path of the page leads to.
enum DemoEndpoint: Sendable, Hashable {
  case page
  case style
  case script
  case action(Action)
  /// The HTML of the mail of a verification, for a frame.
  case mail(String)

  /// What a form of the page asks for.
  enum Action: String, Sendable, Hashable {
    case start = "start"
    case check = "check"
    case resend = "resend"
    case cancel = "cancel"
    case show = "show"
  }

  /// The endpoint at a path, given by its segments.
  init?(_ path: [String]) {
    switch (path.first, path.count) {
    case ("", 1): self = .page
    case ("demo", 2):
      switch path[1] {
      case "verify.css": self = .style
      case "verify.js": self = .script
      default:
        guard let action = Action(rawValue: path[1]) else { return nil }
        self = .action(action)
      }
    case ("demo", 3) where path[1] == "mail" && !path[2].isEmpty: self = .mail(path[2])
    default: return nil
    }
  }

  /// The path with names for its variable parts.
  var route: String {
    switch self {
    case .page: "/"
    case .style: "/demo/verify.css"
    case .script: "/demo/verify.js"
    case .action(let action): "/demo/\(action.rawValue)"
    case .mail: "/demo/mail/{id}"
    }
  }
}
