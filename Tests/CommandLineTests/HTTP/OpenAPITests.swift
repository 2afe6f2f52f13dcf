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
    let http = try HTTPTestSite(more: limits, timeout: 300)
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

  @Test func `the sign-up examples in Swift and, with a generated client, in Python verify an address`()
    throws
  {
    let http = try HTTPTestSite()
    let folder = try TemporaryDirectory()
    let python = try python()
    try folder.write("post_hooks: []\n", to: "config.yaml")
    let made = try ChildProcess.run(
      python.replacing("/python3", with: "/openapi-python-client"),
      ["generate", "--path", Self.document, "--output-path", "client", "--config", "config.yaml"],
      directory: folder.path)
    #expect(made.status == 0, "\(made.output)\(made.errors)")
    let handlers = [
      ("\(BuiltProducts.directory)/sign-up-over-http", [] as [String], "swift@example.org"),
      (python, ["\(BuiltProducts.root)/Examples/sign_up_over_http.py"], "python@example.org"),
    ]
    for (program, arguments, address) in handlers {
      let before = http.site.mails.count
      let handler = try InteractiveProcess(
        program, arguments + ["http://127.0.0.1:\(http.port)", address],
        environment: ["PYTHONPATH": "\(folder.path)/client"], directory: folder.path)
      try eventually { http.site.mails.count != before }
      let code = try http.site.newestCode()
      try handler.type(line: TestSite.wrong(code))
      try handler.type(line: code)
      let end = try handler.finish()
      #expect(end.status == 0, "\(end.errors)")
      #expect(
        end.output == """
          A code is on its way to \(address.prefix(1))***@example.org.
          mismatch, 4 attempts left
          approved, 0 attempts left

          """)
    }
  }
}
