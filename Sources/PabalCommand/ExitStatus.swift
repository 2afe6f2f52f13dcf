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

  package init(_ kind: AccountProblem.Kind) {
    switch kind {
    case .usage: self = .usage
    case .configuration: self = .configuration
    case .refused: self = .held
    case .passing: self = .deferred
    }
  }
}

/// Why the command can't go on, and what it ends with.
package struct Failure: Error {
  package let status: ExitStatus
  package let diagnostics: [Diagnostic]
  package let barrier: Barrier?

  /// A limit that stood in the way of all that was asked for.
  package struct Barrier {
    package let limit: VerificationLimit
    /// How long it stands; `nil`: for good.
    package let wait: Duration?

    package init(_ limit: VerificationLimit, _ wait: Duration?) {
      self.limit = limit
      self.wait = wait
    }
  }

  package init(_ status: ExitStatus, _ diagnostics: [Diagnostic], barrier: Barrier? = nil) {
    self.status = status
    self.diagnostics = diagnostics
    self.barrier = barrier
  }

  package init(_ status: ExitStatus, _ what: String, cure: String? = nil) {
    self.init(status, [Diagnostic(what, cure: cure)])
  }
}

extension Failure: Encodable {
  private enum CodingKeys: String, CodingKey {
    case errors = "errors"
    case limit = "limit"
    case done = "done"
    case retryAfter = "retry_after"
  }

  /// As `--json` answers it; a limit by name, the seconds to wait or null for good, and that nothing was done.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(diagnostics.map(Finding.init), forKey: .errors)
    guard let barrier else { return }
    try container.encode(barrier.limit.rawValue, forKey: .limit)
    try container.encode(OrNull(barrier.wait?.wholeSecondsUp), forKey: .retryAfter)
    try container.encode(false, forKey: .done)
  }
}
