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
    if common.json { Terminal.keepOutputClean() }
    let assembly = try Assembly(common)
    let id = id
    let verification = try assembly.asking { service throws(VerificationProblem) in
      try await service.status(id)
    }
    try VerificationShown(verification).show(inJSON: common.json)
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
    if common.json { Terminal.keepOutputClean() }
    let assembly = try Assembly(common)
    let id = id
    let verification = try assembly.asking { service throws(VerificationProblem) in
      try await service.cancel(id)
    }
    try VerificationShown(verification).show(inJSON: common.json)
  }
}
