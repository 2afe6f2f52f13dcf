internal import PabalCore

/// The files of one message as they were read.
struct MessageFiles: Sendable {
  /// One language's file.
  struct Part: Sendable {
    var language: String
    /// `md`, `html` or `txt`.
    var ending: String
    var octets: [UInt8]
  }

  var name: String
  /// The folder as the user named it.
  var folder: String
  /// `message.json`, where there is one.
  var declaration: [UInt8]?
  /// In the order of languages.
  var parts: [Part]
  /// Whether the folder could be read.
  var isThere = true
  /// The names of files that are there and could not be read.
  var unread: Set<String> = []
  /// What is wrong with the folder itself and with what could not be read.
  var mistakes: [Diagnostic] = []
}

/// Makes a message of its files and gathers everything that is wrong with them.
struct MessageCompiler {
  private let files: MessageFiles
  private let layout: HTMLTemplate
  private let site: [String: String]
  private let sitePlaces: [String: SettingPlace]
  private let defaultLanguage: String
  private var declaration = Declaration()
  /// Variables that a misspelt name was most likely meant for.
  private var meant: Set<String> = []
  private(set) var diagnostics: [Diagnostic]

  init(
    _ files: MessageFiles, layout: HTMLTemplate, site: [String: String],
    sitePlaces: [String: SettingPlace] = [:], defaultLanguage: String
  ) {
    self.files = files
    self.layout = layout
    self.site = site
    self.sitePlaces = sitePlaces
    self.defaultLanguage = defaultLanguage
    diagnostics = files.mistakes + layout.mistakes
  }

  private var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  /// The message, unless there are errors.
  mutating func compile() -> CompiledMessage? {
    // Without the variables nobody can tell what else is wrong.
    guard files.isThere, readDeclaration() else { return nil }
    checkLayoutNames()
    var languages: [String: CompiledLanguage] = [:]
    var namesUsed: Set<String> = Set(layout.names.map(\.name))
    for part in files.parts where part.ending == "md" {
      if let language = compile(part, namesUsed: &namesUsed) {
        languages[part.language.lowercased()] = language
      }
    }
    checkLanguages()
    guard !hasErrors else { return nil }
    // Only now is it known that no name was meant to be another.
    for variable in declaration.variables where !namesUsed.contains(variable.name) {
      guard let position = variable.position else { continue }
      diagnostics.append(
        Diagnostic(
          "no language uses {{\(variable.name)}}", cure: "use it, or take it out of message.json",
          file: "\(files.folder)/message.json", position: position, path: "variables.\(variable.name)",
          severity: .warning))
    }
    let message = CompiledMessage(name: files.name, declaration: declaration, languages: languages)
    checkExamples(message)
    return message
  }

  /// Whether message.json tells which variables there are.
  private mutating func readDeclaration() -> Bool {
    guard let octets = files.declaration else {
      if !files.unread.contains("message.json") {
        diagnostics.append(
          Diagnostic(
            "there is no message.json", cure: "copy another message's, and change the copy",
            file: files.folder))
      }
      return false
    }
    let reader = DeclarationReader(octets, file: "\(files.folder)/message.json")
    diagnostics += reader.mistakes
    declaration = reader.declaration
    guard declaration.isReadable else { return false }
    for (index, variable) in declaration.variables.enumerated() {
      guard let written = site[variable.name] else { continue }
      setSiteValue(written, ofVariable: index)
    }
    // A layout may use what the whole site has, whatever this message declares.
    for (name, _) in layout.names where !declaration.declares(name) {
      guard let written = site[name], !DeclarationReader.slots.contains(name) else { continue }
      declaration.append(
        Declaration.Variable(
          name: name, purpose: "a value of the whole site", kind: .text,
          example: .text(written, reading: nil),
          exampleWritten: .text(written), fallback: nil, withDate: false, position: nil))
      setSiteValue(written, ofVariable: declaration.variables.count - 1)
    }
    return true
  }

  private mutating func setSiteValue(_ written: String, ofVariable index: Int) {
    let variable = declaration.variables[index]
    let reading = site[variable.name + MessageValue.readingSuffix]
    do throws(UnfitValue) {
      declaration.setSiteValue(try variable.kind.fit(.text(written, reading: reading)), ofVariable: index)
    } catch {
      let place = sitePlaces[variable.name] ?? SettingPlace(path: "messages.variables.\(variable.name)")
      diagnostics.append(place.diagnostic(error.what, cure: error.cure))
    }
  }

  private mutating func checkLayoutNames() {
    let places = DeclarationReader.slots
    // What makes a layout hard to read may hide it.
    if layout.contents.isEmpty, !layout.mistakes.contains(where: { $0.severity == .error }) {
      diagnostics.append(
        Diagnostic(
          "there is no {{content}}", cure: "put it where the text belongs", file: layout.file,
          position: SourcePosition(line: 1, column: 1)))
    }
    checkContents(of: layout)
    let known = places + declaration.names + site.keys
    for (name, position) in layout.names where !places.contains(name) && !declaration.declares(name) {
      diagnostics.append(
        Diagnostic(
          "{{\(name)}} is no place of a layout, no value of the site, and not declared in "
            + "\(files.folder)/message.json",
          cure: nearest(to: name, among: known).map { "did you mean {{\($0)}}?" }
            ?? "declare it, or take it out", file: layout.file, position: position))
    }
  }

  private mutating func checkContents(of template: HTMLTemplate) {
    for position in template.contents.dropFirst() {
      diagnostics.append(
        Diagnostic(
          "{{content}} stands twice", cure: "keep one of them", file: template.file, position: position))
    }
  }

  private mutating func checkLanguages() {
    for part in files.parts {
      guard let known = LanguageTag.commonSlip(part.language) else { continue }
      diagnostics.append(
        Diagnostic(
          "\(part.language) is not how \(known.name) is written here",
          cure: "name it \(known.tag).\(part.ending)",
          file: "\(files.folder)/\(part.language).\(part.ending)", severity: .warning))
    }
    let languages =
      files.parts.filter { $0.ending == "md" }.map(\.language)
      + files.unread.filter { $0.hasSuffix(".md") }.map { String($0.dropLast(3)) }
    if !languages.contains(where: { $0.lowercased() == defaultLanguage.lowercased() }) {
      diagnostics.append(
        Diagnostic(
          "there is no \(defaultLanguage).md, and \(defaultLanguage) is the language of last resort",
          cure: "write it, or change messages.language in config.json", file: files.folder))
    }
    for part in files.parts where part.ending != "md" && !languages.contains(part.language) {
      diagnostics.append(
        Diagnostic(
          "stands without \(part.language).md", cure: "write that file too: the subject comes from it",
          file: "\(files.folder)/\(part.language).\(part.ending)"))
    }
  }

  private mutating func compile(_ part: MessageFiles.Part, namesUsed: inout Set<String>) -> CompiledLanguage?
  {
    guard let source = source(part) else { return nil }
    let text = MessageText(source)
    diagnostics += text.mistakes
    checkNames(text.tagged, slots: [])
    namesUsed.formUnion(text.tagged.placeholders.map(\.name))

    var byHand: [String: TaggedText] = [:]
    var page: HTMLTemplate?
    for other in files.parts where other.language == part.language && other.ending != "md" {
      guard let source = self.source(other) else { continue }
      if other.ending == "html" {
        let template = HTMLTemplate(source)
        diagnostics += template.mistakes
        checkContents(of: template)
        checkNames(template.tagged, slots: DeclarationReader.slots)
        page = template
        byHand["html"] = template.tagged
      } else {
        let tagged = TaggedText(source, format: .plain)
        diagnostics += tagged.mistakes
        checkNames(tagged, slots: [])
        byHand["txt"] = tagged
      }
    }
    for tagged in byHand.values { namesUsed.formUnion(tagged.placeholders.map(\.name)) }

    guard let document = MarkdownNode.parsing(text.tagged.scalars[text.body]) else {
      diagnostics.append(
        Diagnostic(
          "nested deeper than \(MarkdownNode.levels) levels", cure: "take some out", file: source.file,
          position: text.position(ofBodyLine: 2, column: 1)))
      return nil
    }
    var lint = MessageLint(declaration: declaration, language: part.language)
    lint.check(document, of: text)
    lint.check(text.tagged)
    for tagged in byHand.values {
      lint.check(tagged)
      lint.check(tagged, shows: text)
    }
    diagnostics += lint.findings
    checkCodes(text, html: page, plain: byHand["txt"])
    guard !hasErrors else { return nil }

    let writer = LanguageWriter(
      tag: part.language, declaration: declaration, text: text, document: document, layout: layout)
    let (language, mistakes) = writer.write(html: page, plain: byHand["txt"])
    diagnostics += mistakes
    return language
  }

  private mutating func source(_ part: MessageFiles.Part) -> SourceText? {
    do throws(Diagnostics) {
      return try SourceText(part.octets, file: "\(files.folder)/\(part.language).\(part.ending)")
    } catch {
      diagnostics += error.all
      return nil
    }
  }

  private mutating func checkNames(_ tagged: TaggedText, slots: [String]) {
    for (index, placeholder) in tagged.placeholders.enumerated() {
      guard case .tag(let name) = placeholder, !slots.contains(name), !declaration.declares(name) else {
        continue
      }
      let near = nearest(to: name, among: declaration.names + slots)
      if let near { meant.insert(near) }
      let all = declaration.variables.prefix(8).map { "{{\($0.name)}}" }.joined(separator: ", ")
      diagnostics.append(
        Diagnostic(
          "{{\(name)}} is not declared in message.json",
          cure: near.map { "did you mean {{\($0)}}?" }
            ?? (all.isEmpty ? "declare it there" : "declare it there, or use one of \(all)"),
          file: tagged.source.file, position: tagged.position(ofPlaceholder: index)))
    }
  }

  /// The code must stand in both parts; looked for in the files themselves, so that no other error hides it.
  private mutating func checkCodes(_ text: MessageText, html: HTMLTemplate?, plain: TaggedText?) {
    let body = text.tagged.scalars[text.body].compactMap { text.tagged.placeholder($0)?.tag }
    var page = html.map { $0.names.map(\.name) } ?? body
    if page.contains("content") { page += body }
    if html?.isPage != true { page += layout.names.map(\.name) }
    let shown = plain?.placeholders.compactMap(\.tag) ?? body
    for variable in declaration.variables where variable.kind == .code && !meant.contains(variable.name) {
      let isInText = shown.contains(variable.name)
      let isInPage = page.contains(variable.name)
      if !isInText, !isInPage, plain == nil, html == nil {
        missing(variable, in: "mail", text.tagged, at: text.body.lowerBound + 1)
        continue
      }
      if !isInText {
        missing(variable, in: "text", plain ?? text.tagged, at: plain == nil ? text.body.lowerBound + 1 : 0)
      }
      if !isInPage {
        missing(
          variable, in: "HTML", html?.tagged ?? text.tagged, at: html == nil ? text.body.lowerBound + 1 : 0)
      }
    }
  }

  private mutating func missing(
    _ variable: Declaration.Variable, in part: String, _ file: TaggedText, at index: Int
  ) {
    diagnostics.append(
      Diagnostic(
        "the \(part) does not show {{\(variable.name)}}, so its reader has no code to enter",
        cure: "put `{{\(variable.name)}}` on a line of its own, with a blank line before and after",
        file: file.source.file, position: file.position(at: index)))
  }

  private mutating func checkExamples(_ message: CompiledMessage) {
    for language in message.languages.values.sorted(by: { $0.tag < $1.tag }) {
      // The examples fit: they were checked as they were read.
      guard let (subject, _, html) = try? message.render(language, message.examples) else { continue }
      let file = "\(files.folder)/\(language.tag).md"
      if subject.count > MessageLint.subjectLength {
        diagnostics.append(
          Diagnostic(
            "the subject has \(subject.count) characters with the examples in it, and phones show about 40",
            cure: "keep it to \(MessageLint.subjectLength)", file: file,
            position: SourcePosition(line: 1, column: 1), severity: .warning))
      }
      if html.utf8.count > MessageLint.htmlOctets {
        diagnostics.append(
          Diagnostic(
            "the HTML has \(html.utf8.count) octets, and Gmail cuts it off after \(MessageLint.htmlOctets)",
            cure: "make it shorter", file: file, severity: .warning))
      }
    }
  }
}
