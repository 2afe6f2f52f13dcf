package import PabalCore

/// A diagnostic as a program reads it.
package struct DiagnosticOutput: Encodable {
  package let severity: String
  package let file: OrNull<String>
  package let line: OrNull<Int>
  package let column: OrNull<Int>
  package let path: OrNull<String>
  package let message: String
  package let remedy: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case severity = "severity"
    case file = "file"
    case line = "line"
    case column = "column"
    case path = "path"
    case message = "what"
    case remedy = "cure"
  }

  package init(_ diagnostic: Diagnostic) {
    severity = diagnostic.severity.rawValue
    file = OrNull(diagnostic.file)
    line = OrNull(diagnostic.position?.line)
    column = OrNull(diagnostic.position?.column)
    path = OrNull(diagnostic.path)
    message = diagnostic.message
    remedy = OrNull(diagnostic.remedy)
  }
}
