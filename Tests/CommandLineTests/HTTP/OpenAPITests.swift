import Foundation
import PabalTesting
import Testing

/// The OpenAPI document is valid and describes what the service does.
@Suite struct OpenAPITests {
  private static let document = "\(BuiltProducts.root)/Sources/PabalHTTP/openapi.json"

  private func python() throws -> String {
    let run = try ChildProcess.run("\(BuiltProducts.root)/Tests/python-environment")
    try #require(run.status == 0, "\(run.errors)")
    return run.output.trimmingCharacters(in: .newlines)
  }

  @Test func `the served document is valid OpenAPI 3.1 and equals the one in the sources`() throws {
    let http = try HTTPTestSite()
    let served = try http.call("GET", "/openapi.json")
    #expect(served.status == 200 && served.fields["content-type"] == "application/json")
    #expect(served.body == (try String(contentsOfFile: Self.document, encoding: .utf8)))
    let script =
      "import json, sys; from openapi_spec_validator import validate; validate(json.load(sys.stdin))"
    let run = try ChildProcess.run(try python(), ["-c", script], input: Array(served.body.utf8))
    #expect(run.status == 0, "\(run.errors)")
  }

  /// Without `positive_data_acceptance`, because no schema can express which addresses, messages and variables are valid.
  @Test func `schemathesis finds only responses that are in the document, and no 5xx`() throws {
    let limits =
      #", "verification": { "clientStarts": [], "clientChecks": [], "cooldown": "0s", "recipient": [] }"#
    let http = try HTTPTestSite(
      serve: #""keyless": true, "keylessStarts": [], "keylessChecks": []"#, more: limits, timeout: 300)
    let folder = try TemporaryDirectory()
    let checks = [
      "not_a_server_error", "status_code_conformance", "content_type_conformance",
      "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
      "unsupported_method", "missing_required_header", "use_after_free", "ensure_resource_availability",
    ]
    let run = try ChildProcess.run(
      "\(try python())".replacing("/python3", with: "/schemathesis"),
      [
        "run", Self.document, "--url", "http://127.0.0.1:\(http.port)", "--max-examples", "30", "--seed", "1",
        "--checks", checks.joined(separator: ","),
      ], directory: folder.path)
    #expect(run.status == 0, "\(run.output.suffix(4_000))")
    let tested = try #require(run.output.firstMatch(of: /([0-9]+) generated/)?.1)
    #expect(try #require(Int(tested)) > 300)
    #expect(try !http.stop().log.contains("status=5"))
  }

  /// A sign-up example, run by a person who verifies an address and then asks for another code at once.
  @Test func `the sign-up examples in Swift and, with a generated client, in Python verify an address`()
    throws
  {
    let http = try HTTPTestSite()
    let folder = try TemporaryDirectory()
    let python = try python()
    try folder.write("post_hooks: []\n", to: "config.yaml")
    let made = try ChildProcess.run(
      python.replacing("/python3", with: "/openapi-python-client"),
      [
        "generate", "--url", "http://127.0.0.1:\(http.port)/openapi.json", "--output-path", "client",
        "--config",
        "config.yaml",
      ],
      directory: folder.path)
    #expect(made.status == 0, "\(made.output)\(made.errors)")
    let examples = [
      ("\(BuiltProducts.directory)/sign-up-over-http", [] as [String], "swift@example.org"),
      (python, ["\(BuiltProducts.root)/Examples/sign_up_over_http.py"], "python@example.org"),
    ]
    for (program, arguments, address) in examples {
      let arguments = arguments + ["http://127.0.0.1:\(http.port)", address, "203.0.113.7"]
      let environment: [String: String?] = ["PYTHONPATH": "\(folder.path)/client"]
      let before = http.site.mails.count
      let example = try InteractiveProcess(
        program, arguments, environment: environment, directory: folder.path)
      try eventually { http.site.mails.count != before }
      let code = try http.site.newestCode()
      try example.type(line: TestSite.wrong(code))
      try example.type(line: code)
      let end = try example.finish()
      #expect(end.status == 0, "\(end.errors)")
      #expect(
        end.output == """
          A code is on its way to \(address.prefix(1))***@example.org.
          mismatch, 4 attempts left
          approved, 0 attempts left
          Verified: \(address)

          """)
      // The address got a mail a moment ago: 429 with Retry-After.
      let refused = try ChildProcess.run(
        program, arguments, environment: environment, directory: folder.path)
      #expect(refused.status == 1 && refused.output == "")
      #expect(
        refused.errors.firstMatch(of: /^No code was sent\. .*Try again in [0-9]+ seconds\.\n$/) != nil,
        "\(refused.errors)")
    }
  }
}
