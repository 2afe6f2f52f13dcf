import PabalCore
import Testing

/// The external names of enum cases in databases, JSON, logs and metrics, which must not change with a Swift rename.
@Suite struct StoredNameTests {
  @Test func `the states of a mail keep their names`() {
    #expect(
      OutboxState.allCases.map(\.rawValue) == [
        "waiting", "sending", "sent", "rejected", "unknown", "expired", "superseded", "cancelled",
      ])
    #expect(
      MailStatus.State.allCases.map(\.rawValue) == [
        "waiting", "sending", "deferred", "held", "sent", "rejected", "unknown", "expired", "superseded",
        "cancelled",
      ])
    #expect(Lane.allCases.map(\.rawValue) == ["code", "normal", "bulk"])
    #expect(UnknownPolicy.allCases.map(\.rawValue) == ["resend", "keep"])
  }

  @Test func `the outcomes keep their names`() {
    let outcomes: [Outcome] = [
      .sent, .deferred(), .unsuited, .rejected, .held(.mail), .held(.transport), .unknown,
    ]
    #expect(
      outcomes.map(\.name) == ["sent", "deferred", "unsuited", "rejected", "held", "held", "unknown"])
    #expect([Outcome.Scope.transport, .mail].map(\.rawValue) == ["transport", "mail"])
  }

  @Test func `the states of a verification keep their names`() {
    #expect(
      VerificationState.allCases.map(\.rawValue) == [
        "pending", "approved", "consumed", "exhausted", "expired", "cancelled", "superseded",
        "undeliverable",
      ])
    #expect(
      VerificationOutcome.allCases.map(\.rawValue) == [
        "approved", "mismatch", "superseded", "expired", "exhausted", "already_approved", "cancelled",
        "undeliverable",
      ])
    #expect(
      VerificationLimit.allCases.map(\.rawValue) == [
        "cooldown", "recipient", "verification", "client", "overall", "failures", "keyless", "rate",
      ])
    #expect(
      [ProofError.unknown, .redeemed, .expired, .otherPurpose].map(\.rawValue) == [
        "unknown", "redeemed", "expired", "other_purpose",
      ])
  }

  @Test func `transport conditions, log levels, severities and setting kinds keep their names`() {
    #expect(TransportCondition.Availability.allCases.map(\.rawValue) == ["ready", "paused", "held"])
    #expect(LogLevel.allCases.map(\.rawValue) == ["debug", "info", "warning", "error"])
    #expect([Diagnostic.Severity.error, .warning].map(\.rawValue) == ["error", "warning"])
    let kinds: [SettingDeclaration.Kind] = [.text, .number, .boolean, .choice, .duration, .path, .account]
    #expect(
      kinds.map(\.rawValue) == ["text", "number", "boolean", "choice", "duration", "path", "account"])
  }
}
