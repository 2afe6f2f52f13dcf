import PabalCore
import Testing

@testable import PabalMessages

/// Compiles messages from strings.
struct MessageFixture {
  var layout = "<!doctype html><html lang=\"{{language}}\"><body>{{content}}</body></html>"
  var json = """
    {
      "for": "tests",
      "variables": {
        "service": { "for": "the service", "kind": "text", "example": "파발" }
      }
    }
    """
  /// The language files by name, such as `ko.md`.
  var files: [String: String] = [:]
  var siteVariables: [String: String] = [:]
  var language = "ko"

  init(_ body: String = "본문", subject: String = "제목") {
    files["ko.md"] = "Subject: \(subject)\n\n\(body)\n"
  }

  /// Creates a fixture whose message has these variables.
  init(_ body: String, subject: String = "제목", variables: [(name: String, kind: String, example: String)]) {
    self.init(body, subject: subject)
    json = MessageFixture.json(variables)
  }

  static func json(_ variables: [(name: String, kind: String, example: String)]) -> String {
    let members = variables.map { name, kind, example in
      "\"\(name)\": { \"for\": \"tests\", \"kind\": \"\(kind)\", \"example\": \"\(example)\" }"
    }
    return "{ \"variables\": { \(members.joined(separator: ", ")) } }"
  }

  func compile() -> (message: CompiledMessage?, diagnostics: [Diagnostic]) {
    let languageFiles = files.sorted { $0.key < $1.key }.map { name, text in
      let pieces = name.split(separator: ".")
      return MessageFiles.LanguageFile(
        language: String(pieces[0]), fileExtension: String(pieces[1]), bytes: Array(text.utf8))
    }
    do throws(Diagnostics) {
      let layout = HTMLTemplate(try SourceText(Array(self.layout.utf8), file: "layout.html"))
      var compiler = MessageCompiler(
        MessageFiles(
          name: "test", folder: "test", declaration: Array(json.utf8), languageFiles: languageFiles),
        layout: layout, siteVariables: siteVariables, defaultLanguage: language)
      let message = compiler.compile()
      return (message, compiler.diagnostics)
    } catch {
      return (nil, error.all)
    }
  }

  /// The diagnostics as printed. Each must have a Korean translation.
  var findings: [String] {
    compile().diagnostics.map { diagnostic in
      if !diagnostic.isTranslated { Issue.record("no Korean for: \(diagnostic)") }
      return diagnostic.description
    }
  }

  /// Renders the subject, text and HTML.
  func render(
    _ values: [String: MessageValue] = [:], in language: String = "ko"
  ) throws -> CompiledLanguage.RenderedParts {
    let (message, diagnostics) = compile()
    guard let message, let compiled = message.languages[language] else { throw Diagnostics(diagnostics) }
    return try message.render(compiled, values)
  }

  /// Returns the HTML that replaced `{{content}}`.
  func html(_ values: [String: MessageValue] = [:], in language: String = "ko") throws -> String {
    let page = try render(values, in: language).html
    guard let start = page.firstRange(of: "<body>"), let end = page.firstRange(of: "</body>") else {
      return page
    }
    return String(page[start.upperBound..<end.lowerBound])
  }
}
