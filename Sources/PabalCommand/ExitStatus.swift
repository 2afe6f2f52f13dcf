package import PabalAccounts
package import PabalCore

/// What the command ends with, as `sysexits.h` names it.
package enum ExitStatus: Int32 {
  case sent = 0
  /// `EX_USAGE`: the command's words are wrong.
  case usage = 64
  /// `EX_DATAERR`: an address, a message or a mail is wrong.
  case input = 65
  /// `EX_UNAVAILABLE`: the mail was rejected.
  case rejected = 69
  /// `EX_CANTCREAT`: what the command has to say could not be written.
  case unwritten = 73
  /// `EX_IOERR`: the mail may have been sent.
  case unknown = 74
  /// `EX_TEMPFAIL`: not sent, try later.
  case deferred = 75
  /// `EX_NOPERM`: the account or the set-up is at fault.
  case held = 77
  /// `EX_CONFIG`: config.json, a plugin or a secret is wrong.
  case configuration = 78

  package init(_ outcome: Outcome) {
    switch outcome {
    case .sent: self = .sent
    case .deferred: self = .deferred
    case .unsuited, .rejected: self = .rejected
    case .held: self = .held
    case .unknown: self = .unknown
    }
  }

  package init(_ kind: AccountError.Kind) {
    switch kind {
    case .usage: self = .usage
    case .configuration: self = .configuration
    case .refused: self = .held
    case .transient: self = .deferred
    }
  }
}

/// Why the command can't go on, and what it ends with.
package struct CommandError: Error {
  package let status: ExitStatus
  package let diagnostics: [Diagnostic]
  package let reachedLimit: ReachedLimit?

  /// A limit that stood in the way of all that was asked for.
  package struct ReachedLimit {
    package let limit: VerificationLimit
    /// How long it stands; `nil`: for good.
    package let retryAfter: Duration?

    package init(_ limit: VerificationLimit, _ retryAfter: Duration?) {
      self.limit = limit
      self.retryAfter = retryAfter
    }
  }

  package init(_ status: ExitStatus, _ diagnostics: [Diagnostic], reachedLimit: ReachedLimit? = nil) {
    self.status = status
    self.diagnostics = diagnostics
    self.reachedLimit = reachedLimit
  }

  package init(_ status: ExitStatus, _ message: String, remedy: String? = nil) {
    self.init(status, [Diagnostic(message, remedy: remedy)])
  }
}

extension CommandError: Encodable {
  private enum CodingKeys: String, CodingKey {
    case errors = "errors"
    case limit = "limit"
    case done = "done"
    case retryAfter = "retry_after"
  }

  /// As `--json` answers it; a limit by name, the seconds to wait or null for good, and that nothing was done.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(diagnostics.map(DiagnosticOutput.init), forKey: .errors)
    guard let reachedLimit else { return }
    try container.encode(reachedLimit.limit.rawValue, forKey: .limit)
    try container.encode(OrNull(reachedLimit.retryAfter?.wholeSecondsUp), forKey: .retryAfter)
    try container.encode(false, forKey: .done)
  }
}

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
