internal import PabalCore

/// The files of one message, as read from disk.
struct MessageFiles: Sendable {
  /// A file of one language.
  struct LanguageFile: Sendable {
    var language: String
    /// `md`, `html` or `txt`.
    var fileExtension: String
    var bytes: [UInt8]
  }

  var name: String
  /// The path of the folder, as given by the user.
  var folder: String
  /// The content of `message.json`, if it exists.
  var declaration: [UInt8]?
  /// The files of the languages, sorted.
  var languageFiles: [LanguageFile]
  /// Whether the folder could be read.
  var isReadable = true
  /// The names of files that exist but couldn't be read.
  var unreadableFiles: Set<String> = []
  /// The folder whose files take the place of those in `folder`, if there is one.
  var overridingFolder: String?
  /// The names of the files that are in `overridingFolder`.
  var overridingFiles: Set<String> = []
  /// Errors about the folder itself and about unreadable files.
  var issues: [Diagnostic] = []

  /// Returns the path of a file, for errors, with the file's name as `displayed`.
  func path(of file: String, displayed: String? = nil) -> String {
    "\(overridingFiles.contains(file) ? overridingFolder ?? folder : folder)/\(displayed ?? file)"
  }
}

/// Compiles a message from its files and collects all errors in them.
struct MessageCompiler {
  private let files: MessageFiles
  private let layout: HTMLTemplate
  private let siteVariables: [String: String]
  private let siteVariableLocations: [String: SettingLocation]
  private let defaultLanguage: String
  private var declaration = MessageDeclaration()
  /// Variables that were suggested for a misspelled name.
  private var suggested: Set<String> = []
  /// Variables with a Korean particle after them.
  private var particleVariables: Set<String> = []
  private(set) var diagnostics: [Diagnostic]

  init(
    _ files: MessageFiles, layout: HTMLTemplate, siteVariables: [String: String],
    siteVariableLocations: [String: SettingLocation] = [:], defaultLanguage: String
  ) {
    self.files = files
    self.layout = layout
    self.siteVariables = siteVariables
    self.siteVariableLocations = siteVariableLocations
    self.defaultLanguage = defaultLanguage
    diagnostics = files.issues + layout.issues
  }

  private func hasErrors(since start: Int = 0) -> Bool {
    diagnostics[start...].contains { $0.severity == .error }
  }

  /// Returns the message in the languages without errors; `nil` if there is none, or if there are errors that concern all
  /// languages.
  mutating func compile() -> CompiledMessage? {
    // Nothing else can be checked without knowing the variables.
    guard files.isReadable, readDeclaration() else { return nil }
    checkLayoutNames()
    checkLayoutText()
    let concernsAll = diagnostics.contains { $0.severity == .error && !isAboutLanguage($0) }
    var languages: [String: CompiledLanguage] = [:]
    var namesUsed: Set<String> = Set(layout.names.map(\.name))
    for part in files.languageFiles where part.fileExtension == "md" {
      if let language = compile(part, namesUsed: &namesUsed) {
        languages[part.language.lowercased()] = language
      }
    }
    checkLanguages()
    diagnostics += ReadingLint(
      particleVariables: particleVariables, siteLocations: siteVariableLocations,
      file: files.path(of: "message.json")
    ).findings(in: declaration)
    guard !concernsAll, !languages.isEmpty else { return nil }
    let message = CompiledMessage(name: files.name, declaration: declaration, languages: languages)
    guard !hasErrors() else { return message }
    // Checked last: with a misspelled name, a variable would wrongly seem unused.
    for variable in declaration.variables where !namesUsed.contains(variable.name) {
      guard let position = variable.position else { continue }
      diagnostics.append(
        Diagnostic(
          "no language uses {{\(variable.name)}}", remedy: "use it, or remove it from message.json",
          file: files.path(of: "message.json"), position: position, path: "variables.\(variable.name)",
          severity: .warning))
    }
    checkExamples(message)
    return message
  }

  /// Whether a problem found before the languages are compiled concerns one of them only.
  private func isAboutLanguage(_ problem: Diagnostic) -> Bool {
    guard let file = problem.file,
      [files.folder, files.overridingFolder].contains(where: { $0.map { file.hasPrefix("\($0)/") } ?? false })
    else { return false }
    return [".md", ".html", ".txt"].contains { file.hasSuffix($0) }
  }

  /// Reads message.json; returns whether it defines the variables.
  private mutating func readDeclaration() -> Bool {
    guard let bytes = files.declaration else {
      if !files.unreadableFiles.contains("message.json") {
        diagnostics.append(
          Diagnostic(
            "message.json is missing", remedy: "copy one from another message and adapt it",
            file: files.folder))
      }
      return false
    }
    let reader = MessageDeclarationReader(bytes, file: files.path(of: "message.json"))
    diagnostics += reader.diagnostics
    declaration = reader.declaration
    guard declaration.isReadable else { return false }
    for (index, variable) in declaration.variables.enumerated() {
      guard let written = siteVariables[variable.name] else { continue }
      setSiteValue(written, ofVariable: index)
    }
    // A layout may use site-wide values that this message doesn't declare.
    for (name, _) in layout.names where !declaration.declares(name) {
      guard let written = siteVariables[name], !MessageDeclarationReader.slots.contains(name) else {
        continue
      }
      declaration.append(
        MessageDeclaration.Variable(
          name: name, purpose: MessagePurpose("a site-wide value"), kind: .text,
          example: .text(written, reading: nil),
          exampleSource: .text(written), defaultValue: nil, showsDate: false, position: nil))
      setSiteValue(written, ofVariable: declaration.variables.count - 1)
    }
    return true
  }

  private mutating func setSiteValue(_ written: String, ofVariable index: Int) {
    let variable = declaration.variables[index]
    let reading = siteVariables[variable.name + MessageValue.readingSuffix]
    do throws(InvalidValueError) {
      declaration.setSiteValue(
        try variable.kind.validate(.text(written, reading: reading)), ofVariable: index)
    } catch {
      let location =
        siteVariableLocations[variable.name] ?? SettingLocation(path: "messages.variables.\(variable.name)")
      diagnostics.append(location.diagnostic(error.message, remedy: error.remedy))
    }
  }

  private mutating func checkLayoutNames() {
    let slots = MessageDeclarationReader.slots
    // An error in the layout may hide {{content}}.
    if layout.contentPositions.isEmpty, !layout.issues.contains(where: { $0.severity == .error }) {
      diagnostics.append(
        Diagnostic(
          "{{content}} is missing", remedy: "put it where the text of the mail goes", file: layout.file,
          position: SourcePosition(line: 1, column: 1)))
    }
    checkContentSlots(of: layout)
    let known = slots + declaration.names + siteVariables.keys
    for (name, position) in layout.names where !slots.contains(name) && !declaration.declares(name) {
      diagnostics.append(
        Diagnostic(
          "{{\(name)}} is neither a layout placeholder nor a site-wide value, and is not declared in "
            + files.path(of: "message.json"),
          remedy: nearest(to: name, among: known).map { "did you mean {{\($0)}}?" }
            ?? "declare it, or remove it", file: layout.file, position: position))
    }
  }

  private mutating func checkContentSlots(of template: HTMLTemplate) {
    for position in template.contentPositions.dropFirst() {
      diagnostics.append(
        Diagnostic(
          "{{content}} is used twice", remedy: "remove one of them", file: template.file, position: position))
    }
  }

  private mutating func checkLayoutText() {
    var lint = MessageLint(declaration: declaration, language: defaultLanguage)
    lint.checkLookAlikes(layout.tagged)
    diagnostics += lint.findings
    collectParticles(layout.tagged)
  }

  private mutating func collectParticles(_ text: TaggedText) {
    for case .particle(_, of: let name) in text.placeholders { particleVariables.insert(name) }
  }

  private mutating func checkLanguages() {
    for part in files.languageFiles {
      guard let known = LanguageTag.commonMisspelling(part.language) else { continue }
      diagnostics.append(
        Diagnostic(
          "\(part.language) is not the language tag of \(known.name)",
          remedy: "rename the file to \(known.tag).\(part.fileExtension)",
          file: files.path(of: "\(part.language).\(part.fileExtension)"), severity: .warning))
    }
    let languages =
      files.languageFiles.filter { $0.fileExtension == "md" }.map(\.language)
      + files.unreadableFiles.filter { $0.hasSuffix(".md") }.map { String($0.dropLast(3)) }
    if !languages.contains(where: { $0.lowercased() == defaultLanguage.lowercased() }) {
      diagnostics.append(
        Diagnostic(
          "\(defaultLanguage).md is missing, but \(defaultLanguage) is the default language",
          remedy: "write it, or change messages.language in config.json", file: files.folder))
    }
    for part in files.languageFiles where part.fileExtension != "md" && !languages.contains(part.language) {
      diagnostics.append(
        Diagnostic(
          "\(part.language).md is missing beside this file",
          remedy: "write it too, because the subject comes from it",
          file: files.path(of: "\(part.language).\(part.fileExtension)")))
    }
  }

  private mutating func compile(_ part: MessageFiles.LanguageFile, namesUsed: inout Set<String>)
    -> CompiledLanguage?
  {
    let start = diagnostics.count
    guard let source = source(part) else { return nil }
    let text = MessageText(source)
    diagnostics += text.issues
    checkNames(text.tagged, slots: [])
    collectParticles(text.tagged)
    namesUsed.formUnion(text.tagged.placeholders.map(\.name))

    var handWritten: [String: TaggedText] = [:]
    var page: HTMLTemplate?
    for other in files.languageFiles where other.language == part.language && other.fileExtension != "md" {
      guard let source = self.source(other) else { continue }
      if other.fileExtension == "html" {
        let template = HTMLTemplate(source)
        diagnostics += template.issues
        checkContentSlots(of: template)
        checkNames(template.tagged, slots: MessageDeclarationReader.slots)
        page = template
        handWritten["html"] = template.tagged
      } else {
        let tagged = TaggedText(source, format: .plain)
        diagnostics += tagged.issues
        checkNames(tagged, slots: [])
        handWritten["txt"] = tagged
      }
    }
    for tagged in handWritten.values {
      namesUsed.formUnion(tagged.placeholders.map(\.name))
      collectParticles(tagged)
    }

    guard let document = MarkdownNode.parsing(text.tagged.scalars[text.body]) else {
      diagnostics.append(
        Diagnostic(
          "quotes, lists and emphasis are nested more than \(MarkdownNode.maxDepth) levels deep",
          remedy: "remove some levels", file: source.file,
          position: text.position(ofBodyLine: 2, column: 1)))
      return nil
    }
    var lint = MessageLint(declaration: declaration, language: part.language)
    lint.check(document, of: text)
    lint.check(text.tagged)
    for tagged in handWritten.values {
      lint.check(tagged)
      lint.check(tagged, shows: text)
    }
    diagnostics += lint.findings
    checkCodes(text, html: page, plain: handWritten["txt"])
    let paths = ["md", "html", "txt"].map { files.path(of: "\(part.language).\($0)") }
    let isSound = !files.issues.contains { issue in
      issue.severity == .error && paths.contains { issue.file == $0 }
    }
    guard !hasErrors(since: start), isSound else { return nil }

    let writer = LanguageWriter(
      tag: part.language, declaration: declaration, text: text, document: document, layout: layout)
    let (language, issues) = writer.write(html: page, plain: handWritten["txt"])
    diagnostics += issues
    return hasErrors(since: start) ? nil : language
  }

  private mutating func source(_ part: MessageFiles.LanguageFile) -> SourceText? {
    do throws(Diagnostics) {
      return try SourceText(part.bytes, file: files.path(of: "\(part.language).\(part.fileExtension)"))
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
      if let near { suggested.insert(near) }
      let usable = declaration.variables.map(\.name).filter(MessageDeclaration.isTag)
      let all = usable.prefix(8).map { "{{\($0)}}" }.joined(separator: ", ")
      diagnostics.append(
        Diagnostic(
          "{{\(name)}} is not declared in message.json",
          remedy: near.map { "did you mean {{\($0)}}?" }
            ?? (all.isEmpty ? "declare it there" : "declare it there, or use one of \(all)"),
          file: tagged.source.file, position: tagged.position(ofPlaceholder: index)))
    }
  }

  /// Checks that both parts contain the code. Looks in the files themselves, so that other errors don't hide it.
  private mutating func checkCodes(_ text: MessageText, html: HTMLTemplate?, plain: TaggedText?) {
    let body = text.tagged.scalars[text.body].compactMap { text.tagged.placeholder($0)?.tag }
    var page = html.map { $0.names.map(\.name) } ?? body
    if page.contains("content") { page += body }
    if html?.isPage != true { page += layout.names.map(\.name) }
    let textVariables = plain?.placeholders.compactMap(\.tag) ?? body
    for variable in declaration.variables where variable.kind == .code && !suggested.contains(variable.name) {
      let isInText = textVariables.contains(variable.name)
      let isInPage = page.contains(variable.name)
      if !isInText, !isInPage, plain == nil, html == nil {
        reportMissingCode(variable, in: "mail", text.tagged, at: text.body.lowerBound + 1)
        continue
      }
      if !isInText {
        reportMissingCode(
          variable, in: "text", plain ?? text.tagged, at: plain == nil ? text.body.lowerBound + 1 : 0)
      }
      if !isInPage {
        reportMissingCode(
          variable, in: "HTML", html?.tagged ?? text.tagged, at: html == nil ? text.body.lowerBound + 1 : 0)
      }
    }
  }

  private mutating func reportMissingCode(
    _ variable: MessageDeclaration.Variable, in part: String, _ file: TaggedText, at index: Int
  ) {
    diagnostics.append(
      Diagnostic(
        "the \(part) does not contain {{\(variable.name)}}, so the reader has no code to enter",
        remedy: "put `{{\(variable.name)}}` on a line of its own, with a blank line before and after",
        file: file.source.file, position: file.position(at: index)))
  }

  private mutating func checkExamples(_ message: CompiledMessage) {
    for language in message.languages.values.sorted(by: { $0.tag < $1.tag }) {
      // The examples are valid because they were checked when they were read.
      guard let (subject, _, html) = try? message.render(language, message.examples) else { continue }
      let file = files.path(of: "\(language.tag).md")
      if subject.count > MessageLint.maxSubjectLength {
        diagnostics.append(
          Diagnostic(
            "the subject has \(subject.count) characters with the example values, but phones show only about 40",
            remedy: "shorten it to at most \(MessageLint.maxSubjectLength)", file: file,
            position: SourcePosition(line: 1, column: 1), severity: .warning))
      }
      if html.utf8.count > MessageLint.maxHTMLSize {
        diagnostics.append(
          Diagnostic(
            "the HTML has \(html.utf8.count) bytes, but Gmail cuts it off after \(MessageLint.maxHTMLSize)",
            remedy: "shorten it", file: file, severity: .warning))
      }
    }
  }
}
