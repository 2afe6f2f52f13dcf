import Foundation
import PabalTesting
import Testing

/// The example of the Swift library.
@Suite struct SignUpExampleTests {
  @Test func `the example sends a code and accepts only the right one`() throws {
    let site = try TestSite()
    let app = try InteractiveProcess(
      "\(BuiltProducts.directory)/sign-up", ["config.json", "you@example.org", "203.0.113.7"],
      directory: site.directory.path
    )
    try eventually { !site.mails.isEmpty }
    let code = try site.newestCode()
    try app.type(line: TestSite.wrong(code))
    try app.type(line: code)
    let end = try app.finish()
    #expect(end.status == 0, "\(end.errors)")
    #expect(
      end.output == """
        A code is on its way to y***@example.org.
        mismatch, 4 attempts left
        approved, 0 attempts left
        Verified: you@example.org

        """)
    #expect(site.mails.count == 1)
    let refused = try ChildProcess.run(
      "\(BuiltProducts.directory)/sign-up", ["config.json", "you@example.org", "203.0.113.7"],
      directory: site.directory.path)
    #expect(refused.status == 1)
    #expect(refused.output.firstMatch(of: /^No code was sent: .*; try again in [0-9]+ seconds\.\n$/) != nil)
  }
}
