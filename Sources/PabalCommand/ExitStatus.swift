package import PabalAccounts
package import PabalCore

/// The exit status of the command, with the values of `sysexits.h`.
package enum ExitStatus: Int32 {
  case sent = 0
  /// `EX_USAGE`: the command line is wrong.
  case usage = 64
  /// `EX_DATAERR`: an address, a message or a mail is invalid.
  case input = 65
  /// `EX_NOINPUT`: the mail could not be read.
  case noInput = 66
  /// `EX_NOUSER`: a recipient was refused.
  case noUser = 67
  /// `EX_UNAVAILABLE`: the mail was rejected.
  case rejected = 69
  /// `EX_SOFTWARE`: the service did not understand the command.
  case software = 70
  /// `EX_CANTCREAT`: the output could not be written.
  case unwritten = 73
  /// `EX_IOERR`: the mail may have been sent.
  case unknown = 74
  /// `EX_TEMPFAIL`: the mail was not sent; try later.
  case deferred = 75
  /// `EX_NOPERM`: the account or the transport's configuration is at fault.
  case held = 77
  /// `EX_CONFIG`: `config.json`, a plugin or a secret is wrong.
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

/// Why a command failed, with its exit status.
package struct CommandError: Error {
  package let status: ExitStatus
  package let diagnostics: [Diagnostic]
  package let reachedLimit: ReachedLimit?

  /// The limit that refused the request.
  package struct ReachedLimit {
    package let limit: VerificationLimit
    /// The time until the limit allows the request; `nil` if it never will.
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

  /// Returns the error with warnings about what succeeded before it.
  package func noting(_ notes: [String]) -> CommandError {
    CommandError(
      status, diagnostics + notes.map { Diagnostic($0, severity: .warning) }, reachedLimit: reachedLimit)
  }
}

extension CommandError: Encodable {
  private enum CodingKeys: String, CodingKey {
    case errors = "errors"
    case limit = "limit"
    case done = "done"
    case retryAfter = "retry_after"
  }

  /// Encodes the answer of `--json`. A reached limit adds its name, the seconds to wait (null if it never ends)
  /// and `"done": false`.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(diagnostics.map(DiagnosticOutput.init), forKey: .errors)
    guard let reachedLimit else { return }
    try container.encode(reachedLimit.limit.rawValue, forKey: .limit)
    try container.encode(OrNull(reachedLimit.retryAfter?.wholeSecondsUp), forKey: .retryAfter)
    try container.encode(false, forKey: .done)
  }
}

/// Runs a command and reports how it ended.
package enum CommandRun {
  /// Runs `work`, prints its error if it throws one, and returns the exit status of the process.
  package static func status(of work: () throws -> ExitStatus) throws -> ExitStatus {
    let status: ExitStatus
    do {
      status = try work()
    } catch let failure as CommandError {
      Terminal.printError(failure.diagnostics)
      // A program that asked for JSON reads standard output only.
      if CommandLine.arguments.contains("--json") { try? Terminal.printResult(json: failure) }
      return failure.status
    }
    guard status == .sent, let problem = Terminal.outputError else { return status }
    Terminal.printError("pabal: the output could not be written: \(problem)")
    return .unwritten
  }
}
