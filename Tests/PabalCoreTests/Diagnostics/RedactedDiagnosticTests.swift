import Testing

@testable import PabalCore

/// What a log shows of an error in a file.
@Suite struct RedactedDiagnosticTests {
  @Test(arguments: [
    ("missing key 'transport'", "missing key 'transport'"),
    ("unknown transport 'hunter2'", "unknown transport '…'"),
    ("'hunter2' is not a valid choice", "'…' is not a valid choice"),
    ("the value \"hunter2\" isn't one", "the value \"…\" isn't one"),
  ])
  func `what is quoted from the file is left out, but not the name of a missing key`(
    message: String, shown: String
  ) {
    #expect(Diagnostic(message).redactedMessage == shown)
  }
}
