import Foundation
import PabalTesting
import Testing

/// A site with a running `pabal serve --demo`, used like a browser without scripts.
final class DemoTestSite {
  let site: TestSite
  private let server: InteractiveProcess
  /// The address and port of the server.
  let host: String

  static let serve = #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#

  /// Starts the shipped site; `verification` are the members of that section.
  convenience init(verification: String = "") throws {
    let more = verification.isEmpty ? "" : ", \"verification\": { \(verification) }"
    try self.init(TestSite(TestSite.shipped(with: DemoTestSite.serve + more)))
  }

  /// Starts `pabal serve --demo` for a site.
  init(_ site: TestSite, _ arguments: String..., environment: [String: String?] = [:]) throws {
    self.site = site
    server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve", "--demo"] + arguments,
      environment: TestSite.cleanEnvironment.merging(environment) { $1 }, directory: site.directory.path)
    let transcript = try server.transcript(until: "listening")
    let port = try #require(transcript.firstMatch(of: /listening .*port=([0-9]+)/)?.1)
    host = "127.0.0.1:\(port)"
  }

  deinit { server.signal(SIGTERM) }

  /// Stops the server.
  func stop() throws {
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
  }

  /// A response of the server.
  struct Response {
    let status: Int
    /// The header fields, by lowercase name.
    let headers: [String: String]
    let html: String

    /// The HTML with character references decoded.
    var text: String {
      [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")].reduce(html) {
        $0.replacing($1.0, with: $1.1)
      }
    }

    /// The verification's id in the forms of the page.
    var id: String {
      get throws {
        String(try #require(html.firstMatch(of: /name="verification" value="([0-9A-Z]{26})"/)?.1))
      }
    }

    /// The error shown on the page.
    var error: String? {
      text.firstMatch(of: /<p class="error" [^>]*>(.*)<\/p>/).map {
        String($0.1).replacing(/<[^>]*>/, with: "")
      }
    }

    /// The outcome shown on the page.
    var end: String? { html.firstMatch(of: /<h1 tabindex="-1" class="([a-z_]+)">/).map { String($0.1) } }

    /// Whether the page asks for a code.
    var asksCode: Bool { html.contains(#"action="/demo/check""#) }

    /// Whether the page asks for an address.
    var asksAddress: Bool { html.contains(#"action="/demo/start""#) }
  }

  /// Fetches a page or, with fields, posts a form.
  func ask(_ path: String, _ fields: [String: String] = [:], options: [String] = []) throws -> Response {
    var arguments = ["-sS", "-i", "--max-time", "60", "http://\(host)\(path)"] + options
    for (name, value) in fields { arguments += ["--data-urlencode", "\(name)=\(value)"] }
    let run = try ChildProcess.run("curl", arguments)
    #expect(run.status == 0, "\(run.errors)")
    let parts = run.output.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n")
    let headers = lines.dropFirst().map { line in
      let field = line.split(separator: ":", maxSplits: 1)
      return (field[0].lowercased(), field[1].trimmingCharacters(in: .whitespaces))
    }
    return Response(
      status: try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }),
      headers: Dictionary(headers) { "\($0), \($1)" }, html: parts.count > 1 ? String(parts[1]) : "")
  }

  /// Posts a form of the page.
  func post(
    _ action: String, _ fields: [String: String], language: String = "ko"
  ) throws -> Response {
    try ask("/demo/\(action)", fields.merging(["language": language]) { old, _ in old })
  }

  /// Starts a verification with the page's form and returns its id.
  func start(_ address: String = "kim@example.com") throws -> String {
    let response = try post("start", ["address": address])
    #expect(response.status == 200 && response.asksCode, "\(response.html)")
    return try response.id
  }

  /// Returns the texts of the page in a language.
  static func words(_ language: String) throws -> [String: String] {
    let file = "\(BuiltProducts.root)/Sources/PabalHTTP/Demo/Page/\(language).json"
    return try JSONDecoder().decode([String: String].self, from: Data(contentsOf: URL(filePath: file)))
  }

  /// Returns a text of the page that contains a number.
  static func words(_ language: String, _ name: String, _ count: Int = 0) throws -> String {
    try #require(try words(language)[name], "\(name)").replacing("{{count}}", with: "\(count)")
  }
}
