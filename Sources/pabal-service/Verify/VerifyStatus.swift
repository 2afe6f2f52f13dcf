import ArgumentParser
import PabalCommand
import PabalCore

/// `pabal verify status`.
struct VerifyStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how a verification and its mail stand.")

  @Argument(help: "The verification's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in try await service.status(id) }
  }
}

/// `pabal verify cancel`.
struct VerifyCancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Take a verification back; mail that still waits isn't sent.")

  @Argument(help: "The verification's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in try await service.cancel(id) }
  }
}

extension CommonOptions {
  /// Shows the verification that `work` gives.
  fileprivate func show(
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws {
    try VerificationOutput(try CommandContext(self).withVerifications(work)).show(asJSON: json)
  }
}
