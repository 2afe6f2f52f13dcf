import Glibc
import PabalCommand
import PabalCore

/// `pabal-service`, the program with all the commands, and with all that they need loaded.
enum Service {
  /// Goes on as that program, with the same words and all that this process has; returns only why it could not.
  static func takeOver() -> Failure {
    let places = Installation.current?.services ?? []
    for place in places {
      execv(place, CommandLine.unsafeArgv)
      let reason = errno
      guard reason != ENOENT, reason != ENOTDIR else { continue }
      return Failure(
        .configuration, "\(place) can't be run: \(String(cString: strerror(reason)))",
        cure: "it has every command but send; install it anew")
    }
    return Failure(
      .configuration,
      "pabal is not whole: pabal-service, which has every command but send, \(absence(places))",
      cure: "put it beside pabal, or into libexec/pabal beside the folder that pabal is in")
  }

  private static func absence(_ places: [String]) -> String {
    places.isEmpty ? "can't be found without /proc" : "is at neither \(places.joined(separator: " nor "))"
  }
}
