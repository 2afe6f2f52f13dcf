import PabalCore
import Testing

@testable import PabalSubmission

@Suite struct `An SMTP session` {}
