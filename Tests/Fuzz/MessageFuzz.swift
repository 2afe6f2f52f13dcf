import Glibc
import PabalCore
import PabalMessages

// Uses arbitrary bytes as one file of an otherwise valid message. If it compiles, renders it with values that try to
// become markup. The first byte selects the file.

private let files = ["ko.md", "layout.html", "message.json", "ko.html", "ko.txt"]

private let good = [
  "ko.md": "Subject: {{service}} {{code}}\n\n{{service}}은(는) [말]({{link}})\n\n`{{code}}`\n\n{{wait}}\n",
  "layout.html":
    "<html lang=\"{{language}}\"><style>p.code{margin:0}@media x{p{a:b}}</style>{{content}}{{service}}</html>",
  "message.json": """
  {"lane":"code","lifetime":"10m","variables":{
    "service":{"for":"x","kind":"text","example":"x"},"code":{"for":"x","kind":"code","example":"1234"},
    "link":{"for":"x","kind":"url","example":"https://a.example"},
    "wait":{"for":"x","kind":"duration","example":"10m"}}}
  """,
]

private let directory: String = {
  let name = "/dev/shm/pabal-fuzz-\(getpid())"
  _ = mkdir(name, 0o700)
  _ = mkdir(name + "/m", 0o700)
  return name
}()

private func write(_ bytes: [UInt8], to file: String) {
  let path = directory + (file == "layout.html" ? "/" : "/m/") + file
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  precondition(descriptor >= 0, "\(path) can't be written")
  precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "\(path) can't be written")
  close(descriptor)
}

/// Checks that errors are single lines with valid positions.
private func check(_ diagnostics: [Diagnostic], lines: Int) {
  precondition(!diagnostics.isEmpty, "rejected without an error")
  for diagnostic in diagnostics {
    let hasControl = diagnostic.description.unicodeScalars.contains {
      $0.properties.generalCategory == .control
    }
    precondition(!hasControl, "a control character in an error")
    if let position = diagnostic.position {
      precondition(
        (1...lines + 1).contains(position.line) && position.column >= 1, "a position outside the file")
    }
  }
}

private func holdsPlaceholder(_ text: String) -> Bool {
  text.unicodeScalars.contains { (0xE000...0xF8FF).contains($0.value) }
}

@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let chosen = files[Int(input.first ?? 0) % files.count]
  let bytes = Array(input.dropFirst())
  for (file, text) in good where file != chosen { write(Array(text.utf8), to: file) }
  for file in files where good[file] == nil { unlink("\(directory)/m/\(file)") }
  write(bytes, to: chosen)

  let store = MessageStore(directory: directory, language: "ko", variables: ["service": "파발"])
  let attack = "\"'><script>[x](y)`**&#0;"
  let given: [String: MessageValue] = [
    "service": .text(attack), "code": "000000", "link": .text("https://a.example/" + attack),
    "wait": .duration(.seconds(599)),
  ]
  do throws(MessageError) {
    let needed = try store.describe("m").variables
    var values: [String: MessageValue] = [:]
    for variable in needed { values[variable.name] = variable.example }
    // Variables that the input declares itself keep their examples.
    for (name, value) in given where needed.contains(where: { $0.name == name && $0.kind.takes(value) }) {
      values[name] = value
    }
    let message = try store.render("m", languages: ["ko"], values: values)
    precondition(
      !message.subject.unicodeScalars.contains { $0.value < 0x20 }, "a control character in a subject")
    for part in [message.subject, message.text, message.html] {
      precondition(!holdsPlaceholder(part), "a placeholder in a mail")
    }
    if chosen == "ko.md" { precondition(!message.html.contains("<script>"), "a value became markup") }
  } catch {
    switch error {
    case .broken(_, let diagnostics): check(diagnostics, lines: bytes.count { $0 == 0x0A || $0 == 0x0D } + 8)
    default: preconditionFailure("\(error)")
    }
  }
  return 0
}

extension VariableKind {
  /// Whether the attack value is valid for the kind.
  fileprivate func takes(_ value: MessageValue) -> Bool {
    switch (self, value) {
    case (.text, .text), (.duration, .duration): true
    case (.code, .text("000000", _)): true
    case (.url, .text(let text, _)): text.hasPrefix("https://")
    default: false
    }
  }
}
