package import ArgumentParser

extension ParsableCommand {
  /// Does `work` as the whole of this process: tells a failure, and ends the process where there is one.
  package static func perform(_ work: () throws -> Void) {
    do {
      try work()
    } catch let failure as Failure {
      Terminal.tell(failure.diagnostics)
      // Whoever asked for JSON reads standard output, and should find the reason there.
      if CommandLine.arguments.contains("--json") {
        try? Terminal.answer(json: failure)
      }
      exit(withError: failure.status.code)
    } catch {
      exit(withError: error)
    }
    if let problem = Terminal.answerProblem {
      Terminal.tell("pabal: the answer could not be written: \(problem)")
      exit(withError: ExitStatus.unwritten.code)
    }
  }
}
