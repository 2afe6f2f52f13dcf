/// How one run of the command ends.
package enum CommandRun {
  /// Does `work`, tells its failure, and gives what the process ends with.
  package static func status(of work: () throws -> ExitStatus) throws -> ExitStatus {
    let status: ExitStatus
    do {
      status = try work()
    } catch let failure as CommandError {
      Terminal.printError(failure.diagnostics)
      // Whoever asked for JSON reads standard output, and should find the reason there.
      if CommandLine.arguments.contains("--json") { try? Terminal.printResult(json: failure) }
      return failure.status
    }
    guard status == .sent, let problem = Terminal.outputError else { return status }
    Terminal.printError("pabal: the answer could not be written: \(problem)")
    return .unwritten
  }
}
