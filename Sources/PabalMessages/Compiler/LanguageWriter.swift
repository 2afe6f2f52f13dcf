internal import PabalCore

/// Compiles one language of a message.
struct LanguageWriter {
  let tag: String
  let declaration: MessageDeclaration
  let text: MessageText
  let document: MarkdownNode
  let layout: HTMLTemplate

  /// Returns the compiled language, using hand-written parts instead of those from the Markdown, and its errors.
  func write(html handWritten: HTMLTemplate?, plain: TaggedText?) -> (CompiledLanguage, [Diagnostic]) {
    var table = TemplateFieldTable()
    let kinds = declaration.variables.map(\.kind)
    let scope = TemplateStepBuilder.Scope(tagged: text.tagged, variables: declaration.index)
    func line(_ range: Range<Int>, as escaping: ValueEscaping) -> TemplateStepList {
      var builder = TemplateStepBuilder(scope: scope)
      builder.append(text.tagged.scalars[range], as: escaping, in: &table)
      return builder.list
    }
    let subject = line(text.subject, as: .plain)

    let plainSteps: TemplateStepList
    if let plain {
      var builder = TemplateStepBuilder(
        scope: TemplateStepBuilder.Scope(tagged: plain, variables: declaration.index))
      builder.append(plain.scalars, as: .plain, in: &table)
      if plain.scalars.last != "\n" { builder.append(literal: "\n") }
      plainSteps = builder.list
    } else {
      plainSteps = TextWriter.write(document, scope: scope, kinds: kinds, table: &table)
    }

    var language = TemplateStepBuilder(scope: scope)
    language.append(literal: tag)
    var slots = [
      "language": language.list,
      "subject": line(text.subject, as: .html),
      "preview": text.preview.map { line($0, as: .html) } ?? TemplateStepList(),
    ]
    var issues: [Diagnostic] = []
    func content(of template: HTMLTemplate) -> TemplateStepList {
      HTMLWriter.write(document, scope: scope, kinds: kinds, styles: template.styles, table: &table)
    }
    func fill(_ template: HTMLTemplate) -> TemplateStepList {
      let (list, fillIssues) = LanguageWriter.fill(
        template, slots: slots, variables: declaration.index, kinds: kinds, table: &table)
      issues += fillIssues
      return list
    }
    let html: TemplateStepList
    if let handWritten, handWritten.isPage {
      if handWritten.names.contains(where: { $0.name == "content" }) {
        slots["content"] = content(of: handWritten)
      }
      html = fill(handWritten)
    } else if let handWritten {
      slots["content"] = fill(handWritten)
      html = fill(layout)
    } else {
      slots["content"] = content(of: layout)
      html = fill(layout)
    }

    // A final check, so that no placeholder is ever mailed.
    for list in [subject, plainSteps, html] where list.holdsPlaceholder {
      issues.append(
        Diagnostic(
          "a variable can't be used here", remedy: "move it into the text", file: text.tagged.source.file))
    }
    let plan = RenderPlan(
      subject: subject, text: plainSteps, html: html, fields: table.fields, variables: declaration.variables)
    // Compiled after the mail's own plan, so that the plan has no fields that only the preview line uses.
    let previewLine = text.preview.map { line($0, as: .plain) } ?? TemplateStepList()
    let previewLinePlan = RenderPlan(
      subject: previewLine, text: TemplateStepList(), html: TemplateStepList(), fields: table.fields,
      variables: declaration.variables)
    var siteValues: [Int: ValidValue] = [:]
    for (number, variable) in declaration.variables.enumerated() where variable.isSiteWide {
      siteValues[number] = variable.defaultValue
    }
    let compiled = CompiledLanguage(
      tag: tag, fullPlan: plan, previewLinePlan: previewLinePlan, siteValues: siteValues)
    return (compiled, issues)
  }

  private static func fill(
    _ template: HTMLTemplate, slots: [String: TemplateStepList], variables: [String: Int],
    kinds: [VariableKind],
    table: inout TemplateFieldTable
  ) -> (TemplateStepList, [Diagnostic]) {
    var builder = TemplateStepBuilder(
      scope: TemplateStepBuilder.Scope(tagged: template.tagged, variables: variables))
    var issues: [Diagnostic] = []
    for piece in template.pieces {
      switch piece {
      case .literal(let text): builder.append(literal: text)
      case .placeholder(let number, let escaping):
        let placeholder = template.tagged.placeholders[number]
        func issue(_ message: String, _ remedy: String) {
          issues.append(
            Diagnostic(
              message, remedy: remedy, file: template.file,
              position: template.tagged.position(ofPlaceholder: number)
            ))
        }
        let name = placeholder.name
        if variables[name] == nil, MessageDeclarationReader.slots.contains(name) {
          guard escaping == .html else {
            issue("{{\(name)}} can't be used in an address", "use a variable, or remove it")
            break
          }
          if let slot = slots[name] {
            builder.append(slot)
          } else {
            issue(
              "{{\(name)}} can't be used in a file that is only part of a page",
              "remove it: this file itself is the content")
          }
        } else {
          if escaping == .urlAttribute, let variable = variables[name], kinds[variable] != .url {
            issue(
              "{{\(name)}} is a \(kinds[variable].rawValue), but a complete address is needed here",
              "declare it with kind \"url\", or write https:// before it")
          }
          builder.append(placeholder, as: escaping, in: &table)
        }
      }
    }
    return (builder.list, issues)
  }
}

extension HTMLTemplate {
  /// The file name for errors.
  var file: String { tagged.source.file }
}

extension TemplateStepList {
  /// Whether a literal contains a placeholder.
  fileprivate var holdsPlaceholder: Bool {
    for (index, byte) in bytes.enumerated() where byte >= 0xEE && byte <= 0xEF && index + 2 < bytes.count {
      let scalar = UInt32(byte & 0x0F) << 12 | UInt32(bytes[index + 1] & 0x3F) << 6
      if SourceText.placeholders.contains(scalar | UInt32(bytes[index + 2] & 0x3F)) { return true }
    }
    return false
  }
}
